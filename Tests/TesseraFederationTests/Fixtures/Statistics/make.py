#!/usr/bin/env python3
"""Makes the tables of three sites, and what NumPy says of them together and of each.

    python3 make.py .../sklearn/datasets/data/breast_cancer.csv

The data are the "Breast Cancer Wisconsin (Diagnostic)" set of W. Wolberg, W. Street and O. Mangasarian (1995), UCI Machine
Learning Repository, https://doi.org/10.24432/C5DW2B, CC BY 4.0, as scikit-learn carries it. Kept are four of its thirty
features; some values are left out, as hospitals leave them out.
"""

import csv
import json
import pathlib
import sys

import numpy as np

features = {"mean radius": 0, "mean texture": 1, "mean area": 3, "worst concavity": 26}
ranges = {"mean radius": (5, 30), "mean texture": (5, 45), "mean area": (100, 2600), "worst concavity": (0, 1.3)}
bins = 10
shares = [0.05, 0.25, 0.5, 0.75, 0.95]
here = pathlib.Path(__file__).parent

with open(sys.argv[1]) as file:
    rows = list(csv.reader(file))[1:]
places = list(features.values())
table = np.array([[float(row[p]) for p in places] for row in rows])
groups = np.array(["malignant" if row[30] == "0" else "benign" for row in rows])
draws = np.random.default_rng(7)
# The sites differ: the larger the tumours, the more of them at the first.
order = np.argsort(table[:, 0] + draws.normal(0, 6, len(table)))[::-1]
sites = {"site-1": order[:300], "site-2": order[300:500], "site-3": order[500:]}
table[draws.random(table.shape) < 0.03] = np.nan


def describe(values, low, high):
    present = values[~np.isnan(values)]
    counts, _ = np.histogram(present, bins=bins, range=(low, high))
    return {
        "count": len(present),
        "missing": int(np.isnan(values).sum()),
        "sum": float(present.sum()),
        "mean": float(present.mean()),
        "variance": float(present.var(ddof=1)),
        "low": float(present.min()),
        "high": float(present.max()),
        "histogram": counts.tolist(),
        "below": int((present < low).sum()),
        "above": int((present > high).sum()),
        "quantiles": np.quantile(present, shares).tolist(),
        "sorted": np.sort(present).tolist(),
    }


def by_group(indices):
    return {
        group: {
            name: describe(table[[i for i in indices if groups[i] == group], column], *ranges[name])
            for column, name in enumerate(features)
        }
        for group in ["benign", "malignant"]
    }


for name, indices in sites.items():
    with open(here / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n" if name == "site-2" else "\n")
        writer.writerow(["diagnosis", *features])
        for i in sorted(indices):
            cells = ["" if np.isnan(v) else repr(float(v)) for v in table[i]]
            writer.writerow([groups[i], *cells])

expected = {"global": by_group(range(len(rows))), "sites": {n: by_group(i) for n, i in sites.items()}}
for site in expected["sites"].values():
    for group in site.values():
        for feature in group.values():
            del feature["sorted"], feature["quantiles"]
with open(here / "expected.json", "w") as file:
    json.dump({"bins": bins, "ranges": ranges, "shares": shares, **expected}, file, separators=(",", ":"))
    file.write("\n")
