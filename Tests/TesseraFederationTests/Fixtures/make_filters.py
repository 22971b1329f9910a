#!/usr/bin/env python3
"""Makes the reference values of the filters' tests with NumPy.

Needs numpy and safetensors. Run it in this folder; it writes filters.safetensors. Names are "case/tensor". Everything is
written from the papers' formulas, in float64 unless a format says otherwise.
"""

import pathlib
from statistics import NormalDist

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(20240719)
out = {}


def put(case, **tensors):
    for name, value in tensors.items():
        out[f"{case}/{name}"] = np.ascontiguousarray(value)


# A model of two tensors, and what a site made of it in five steps.
reference = {
    "a": rng.normal(size=(7, 11)).astype(np.float32),
    "b": rng.normal(size=13).astype(np.float32),
}
change = {
    "a": (rng.normal(size=(7, 11)) * 0.05).astype(np.float32),
    "b": (rng.standard_t(3, size=13) * 0.05).astype(np.float32),
}
put("model", reference_a=reference["a"], reference_b=reference["b"], a=change["a"], b=change["b"])
steps = 5

# Percentile privacy: per step, below the percentile nothing, above it at most gamma.
for percentile, gamma in ((10, 0.01), (50, 0.003), (0, 0.02), (100, 0.02)):
    per_step = {n: c.astype(np.float64) / steps for n, c in change.items()}
    cutoff = np.percentile(np.abs(np.concatenate([c.ravel() for c in per_step.values()])), percentile)
    put(
        f"percentile-{percentile}",
        gamma=np.float64([gamma]),
        **{n: np.where(np.abs(c) < cutoff, 0, np.clip(c, -gamma, gamma)) * steps for n, c in per_step.items()},
    )

# The sparse vector technique: counts, privacy losses and scales for numbers of elements.
for size in (1, 10, 90, 1000, 25_000_000):
    fraction, eps1, eps3, gamma = 0.1, 0.1, 0.1, 1e-5
    count = min(size, int(np.ceil(size * fraction)))
    eps2 = eps1 * (2 * count) ** (2 / 3)
    put(
        f"svt-{size}",
        numbers=np.float64(
            [count, eps2, eps1 + eps2 + count * eps3, 2 * gamma / eps1, 4 * count * gamma / eps2, 2 * gamma / eps3]
        ),
    )
# With hardly any noise and every element wanted, those whose clamped magnitude reaches the threshold are shared.
gamma, tau = 0.012, 0.006
per_step = {n: np.clip(c.astype(np.float64) / steps, -gamma, gamma) for n, c in change.items()}
put("svt-quiet", **{n: np.where(np.abs(c) >= tau, c, 0) * steps for n, c in per_step.items()})

# Clipping.
flat = np.concatenate([c.astype(np.float64).ravel() for c in change.values()])
norm = np.sqrt(np.sum(flat**2))
put("clip", norm=np.float64([norm]), **{n: c * min(1, 0.2 / norm) for n, c in change.items()})
put("clip-per-tensor", **{n: c * min(1, 0.2 / np.sqrt(np.sum(c.astype(np.float64) ** 2))) for n, c in change.items()})


# Codes in blocks. Computed in float32, as the format is.
def blocks(x, size):
    flat = x.ravel()
    return [flat[i : i + size] for i in range(0, flat.size, size)]


def relative(block):
    largest = np.max(np.abs(block))
    return largest, block / (largest if largest > 0 else np.float32(1))


x = (rng.standard_t(3, size=(9, 31))).astype(np.float32)
x[3] = 0
x[4, :8] = [1e-45, -1e-40, 3e38, -3e38, 0.0, -0.0, 1e-20, 1.0]
put("codes", x=x)

for size in (16, 64, 4096):
    codes, scales, back = [], [], []
    for block in blocks(x, size):
        largest, ratio = relative(block)
        code = np.rint(ratio * np.float32(127)).astype(np.int8)
        codes.append(code)
        scales.append(largest)
        back.append(code.astype(np.float32) * (largest / np.float32(127)))
    put(
        f"int8-{size}",
        codes=np.concatenate(codes).reshape(x.shape),
        scales=np.float32(scales),
        back=np.concatenate(back).reshape(x.shape),
    )

# The levels of nf4 follow from quantiles of the normal distribution.
quantile = NormalDist().inv_cdf
offset = 0.9677083
negative = [quantile(p) for p in np.linspace(1 - offset, 0.5, 8)[:-1]]
positive = [quantile(p) for p in np.linspace(0.5, offset, 9)[1:]]
nf4 = np.array(negative + [0.0] + positive) / quantile(offset)
fp4 = np.array([-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5, 2, 3, 4, 6]) / 6
for name, levels in (("nf4", nf4), ("fp4", fp4)):
    levels = levels.astype(np.float32)
    for size in (16, 64):
        codes, scales, back = [], [], []
        for block in blocks(x, size):
            largest, ratio = relative(block)
            distance = np.abs(ratio[:, None].astype(np.float64) - levels[None].astype(np.float64))
            code = np.argmin(distance, axis=1)
            codes.append(code)
            scales.append(largest)
            back.append(levels[code] * largest)
        code = np.concatenate(codes)
        code = np.append(code, 0) if code.size % 2 else code
        put(
            f"{name}-{size}",
            levels=levels,
            codes=(code[0::2] * 16 + code[1::2]).astype(np.uint8),
            scales=np.float32(scales),
            back=np.concatenate(back).reshape(x.shape),
        )

# The largest 20 changes of the model, the first of equals first.
ranking = np.argsort(-np.abs(flat), kind="stable")[:20]
kept = np.zeros_like(flat)
kept[ranking] = flat[ranking]
put("top-20", a=kept[: change["a"].size].reshape(change["a"].shape), b=kept[change["a"].size :])

save_file(out, pathlib.Path(__file__).parent / "filters.safetensors")
