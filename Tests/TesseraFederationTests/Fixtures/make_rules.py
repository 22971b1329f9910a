"""Makes rules.safetensors: updates of eleven sites, and what each aggregation rule has to make of them.

pip install numpy safetensors, then python make_rules.py. Everything is computed on whole vectors in double precision, as the
papers write it, without the short cuts of the library.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

sites, byzantine = 11, 2
random = np.random.default_rng(20261125)
shapes = {"weight": (5, 7), "bias": (13,), "steps": ()}
floating = ["weight", "bias"]
model = {
    "weight": random.normal(size=shapes["weight"]).astype(np.float32),
    "bias": random.normal(size=shapes["bias"]),
    "steps": np.array(40, np.int64),
}
weights = random.integers(1, 9, sites).astype(np.float64)
updates = []
for site in range(sites):
    # Two are far off, each in its own way.
    scale, shift = {3: (4, 0), 8: (0.1, 3)}.get(site, (0.3, 0.05))
    updates.append({
        "weight": (model["weight"] + scale * random.normal(size=shapes["weight"]) + shift).astype(np.float32),
        "bias": model["bias"] + scale * random.normal(size=shapes["bias"]) + shift,
        "steps": np.array(40 + 3 * site % 7 + site, np.int64),
    })


def vector(update, excluded):
    """All floating-point numbers; what is left out is the model's."""
    return np.concatenate([np.ravel((model if name in excluded else update)[name]).astype(np.float64) for name in floating])


def combined(by, needed, excluded):
    """Each tensor by `by(values, positions)`, over the updates that have it."""
    result = {}
    for name in shapes:
        held = [i for i in range(sites) if name not in excluded[i]]
        values = np.stack([updates[i][name].astype(np.float64) for i in held])
        if len(held) >= needed:
            found = by(values, held)
            result[name] = model[name].astype(np.float64) if found is None else found
        else:
            result[name] = model[name].astype(np.float64)
        if name == "steps":
            result[name] = np.rint(result[name])
    return result


def scores(candidates, vectors):
    neighbours = max(1, len(candidates) - byzantine - 2)
    return [
        sum(sorted(np.sum((vectors[i] - vectors[j]) ** 2) for j in candidates if j != i)[:neighbours])
        for i in candidates
    ]


def mean_of(selected):
    def by(values, held):
        rows = [row for row, i in enumerate(held) if i in selected]
        return values[rows].mean(axis=0) if rows else None
    return by


def bulyan_of(selected):
    def by(values, held):
        # In order: of values that are equally close the lower one counts.
        chosen = np.sort(values[[row for row, i in enumerate(held) if i in selected]], axis=0)
        median = np.median(chosen, axis=0)
        keep = max(1, len(chosen) - 2 * byzantine)
        nearest = np.argsort(np.abs(chosen - median), axis=0, kind="stable")[:keep]
        return np.take_along_axis(chosen, nearest, axis=0).mean(axis=0)
    return by


def trimmed(values, held):
    cut = int(0.2 * len(values) + 1e-9)
    return np.sort(values, axis=0)[cut:len(values) - cut].mean(axis=0)


def weiszfeld(vectors):
    shares = weights / weights.sum()
    point = sum(share * vector for share, vector in zip(shares, vectors))
    last = np.inf
    for _ in range(100):
        distances = np.array([np.linalg.norm(point - vector) for vector in vectors])
        objective = np.sum(shares * distances)
        if not last - objective > 1e-10 * objective and np.isfinite(last):
            break
        last = objective
        counts = shares / np.maximum(1e-6, distances)
        counts = counts / counts.sum()
        point = sum(count * vector for count, vector in zip(counts, vectors))
    return counts


def counted_by(counts):
    def by(values, held):
        chosen = counts[held] / counts[held].sum()
        return np.tensordot(chosen, values, axes=1)
    return by


def bounded(excluded, bound):
    factors = []
    for i in range(sites):
        norm = np.linalg.norm(vector(updates[i], excluded[i]) - vector(model, []))
        factors.append(min(1, bound / norm))
    result = {}
    for name in shapes:
        held = [i for i in range(sites) if name not in excluded[i]]
        base = model[name].astype(np.float64)
        total = sum(weights[i] for i in held)
        moved = [
            weights[i] * (base + (factors[i] if name in floating else 1) * (updates[i][name].astype(np.float64) - base))
            for i in held
        ]
        result[name] = sum(moved) / total
    result["steps"] = np.rint(result["steps"])
    return result


saved = {f"model.{name}": model[name] for name in shapes}
saved["weights"] = weights
for site in range(sites):
    saved |= {f"update.{site}.{name}": updates[site][name] for name in shapes}
for case, excluded in {
    "all": [[]] * sites,
    "partial": [["bias"] if i in (2, 6) else ["steps"] if i in (0, 5) else [] for i in range(sites)],
    "few": [["bias"] if i != 4 else [] for i in range(sites)],
}.items():
    vectors = [vector(updates[i], excluded[i]) for i in range(sites)]
    ranking = np.argsort(scores(list(range(sites)), vectors), kind="stable")
    left, selected = list(range(sites)), []
    while len(selected) < sites - 2 * byzantine:
        selected.append(left.pop(int(np.argmin(scores(left, vectors)))))
    expected = {
        "median": combined(lambda values, held: np.median(values, axis=0), 1, excluded),
        "trimmedMean": combined(trimmed, 5, excluded),
        "krum": combined(mean_of(set(ranking[:1])), 2 * byzantine + 3, excluded),
        "multiKrum": combined(mean_of(set(ranking[:5])), max(2 * byzantine + 3, 5 + byzantine + 2), excluded),
        "bulyan": combined(bulyan_of(set(selected)), 4 * byzantine + 3, excluded),
        "geometricMedian": combined(counted_by(weiszfeld(vectors)), 1, excluded),
        "normBound": bounded(excluded, 1.5),
    }
    for rule, result in expected.items():
        saved |= {f"{case}.{rule}.{name}": np.asarray(value, np.float64) for name, value in result.items()}
save_file({name: np.array(value, order="C") for name, value in saved.items()}, Path(__file__).parent / "rules.safetensors")
