"""Writes secure_aggregation.json: neighbourhoods by the bounds of Bell et al. (2020), probabilities of the discrete
Gaussian, and the concentrated privacy of sums of them after Kairouz, Liu and Steinke (2021), computed with SciPy.

Run with NumPy and SciPy: python secure_aggregation.py
"""

import json
import math
from pathlib import Path

import numpy as np
from scipy.stats import hypergeom


def neighbourhood(sites, corrupt_fraction, dropout_fraction, security, correctness):
    """The smallest even degree, with the largest threshold that survivors reach; None if only a complete graph will do."""
    corrupt = max(1, math.ceil(corrupt_fraction * sites))
    missing = max(1, math.ceil(dropout_fraction * sites))
    others = sites - 1
    for degree in range(2, others // 2 + 1, 2):
        if sites * ((corrupt + missing) / sites) ** (degree // 2) > 2.0**-security:
            continue
        alive = hypergeom(others, others - missing, degree)
        reached = [t for t in range(degree + 1) if sites * alive.cdf(t - 1) <= 2.0**-correctness]
        threshold = max(reached)
        if 2 * threshold <= degree + 1:
            continue
        if sites * hypergeom(others, corrupt, degree).sf(2 * threshold - degree - 2) <= 2.0**-security:
            return [degree, threshold]
    return None


def probabilities(variance):
    """Of the values from -60 to 60."""
    x = np.arange(-2000, 2001, dtype=np.float64)
    weights = np.exp(-(x**2) / (2 * variance))
    return (weights / weights.sum())[1940:2061].tolist()


def epsilon(variance, count, sensitivity, dimension):
    """The smallest e with e*e*order/2 above the Renyi bound of proposition 14 for all whole orders up to 1000."""
    tau = 10 * sum(math.exp(-2 * math.pi**2 * variance * k / (k + 1)) for k in range(1, count))
    ratio = sensitivity / math.sqrt(variance * count)
    bounds = []
    for form in (
        lambda a: a * ratio**2 / 2 + tau * dimension,
        lambda a: a / 2 * (ratio + math.sqrt(dimension) * tau) ** 2,
    ):
        bounds.append(max(math.sqrt(2 * form(a) / a) for a in range(1, 1001)))
    return min(bounds)


cases = [
    (n, c, d, 40.0, 20.0)
    for c, d in [(0.05, 0.1), (0.01, 0.05), (0.1, 0.1), (0.2, 0.2)]
    for n in [60, 150, 300, 1000, 5000]
]
result = {
    "neighbourhoods": [{"assumptions": list(case), "result": neighbourhood(*case)} for case in cases],
    "probabilities": [{"variance": v, "values": probabilities(v)} for v in [1, 2, 7, 90]],
    "epsilons": [
        {"variance": v, "count": n, "sensitivity": s, "dimension": d, "epsilon": epsilon(v, n, s, d)}
        for v, n, s, d in [(1, 2, 1.0, 1), (1, 10, 3.0, 4), (2, 5, 1.5, 1000), (4, 100, 20.0, 10**6), (900, 8, 50.0, 10**6)]
    ],
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(result) + "\n")
