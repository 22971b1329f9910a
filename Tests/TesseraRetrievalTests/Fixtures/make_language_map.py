#!/usr/bin/env python3
"""Makes the reference values of the tests of language maps with NumPy and scikit-learn.

Run it in this folder; it writes language_map.safetensors:

    x, y            two representations, [things, dimension]
    svcca           the mean canonical correlation of both, 99 % of the variance kept (Raghu et al., 2017)
    affinity        [things, things]
    places          scikit-learn's spectral embedding of it, [things, 2], each column as long as it comes
"""

import numpy as np
from safetensors.numpy import save_file
from sklearn.manifold import spectral_embedding

random = np.random.default_rng(5)


def directions(a):
    a = a - a.mean(0)
    u, s, _ = np.linalg.svd(a, full_matrices=False)
    share = np.cumsum(s**2) / (s**2).sum()
    return u[:, : int(np.searchsorted(share, 0.99)) + 1]


shared = random.normal(size=(60, 5))
x = shared @ random.normal(size=(5, 12)) + 0.3 * random.normal(size=(60, 12))
y = shared @ random.normal(size=(5, 9)) + 0.3 * random.normal(size=(60, 9))
correlations = np.linalg.svd(directions(x).T @ directions(y), compute_uv=False)
points = np.concatenate([random.normal(size=(5, 2)) + centre for centre in ([0, 0], [4, 0], [0, 5])])
distances = ((points[:, None] - points[None]) ** 2).sum(-1)
affinity = np.exp(-distances / 8)
save_file(
    {
        "x": x,
        "y": y,
        "svcca": np.array([correlations.mean()]),
        "affinity": affinity,
        "places": np.ascontiguousarray(spectral_embedding(affinity, n_components=2, random_state=0)),
    },
    "language_map.safetensors",
)
