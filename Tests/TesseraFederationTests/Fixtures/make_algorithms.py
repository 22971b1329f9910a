#!/usr/bin/env python3
"""Makes the reference values of the tests of federated algorithms, with NumPy alone.

Run it in this folder; it writes algorithms.json. Each algorithm is written out from its paper for a softmax regression in
float64 over four sites of different sizes, with batches of five examples in a fixed order, and run for three rounds. The model
"normed" has a batch normalisation before the regression, with running statistics that no gradient moves.
"""

import json
import pathlib

import numpy as np

random = np.random.default_rng(20240611)
FEATURES, CLASSES, BATCH, ROUNDS = 4, 3, 5, 3
SIZES = [9, 14, 7, 23]
RATES = [0.2, 0.15, 0.1]
BUFFERS = ("norm.runningMean", "norm.runningVariance")
# The sites that are drawn when half of them are asked in each round; the test checks that they are.
DRAWN = [[0, 2], [1, 2], [2, 3]]

truth = random.normal(size=(CLASSES, FEATURES))
SITES = []
for size in SIZES:
    x = random.normal(size=(size, FEATURES)) * random.uniform(0.5, 2) + random.normal(size=FEATURES)
    y = np.argmax(x @ truth.T + random.normal(size=(size, CLASSES)), axis=1)
    SITES.append((x, y))
EXAMPLES = sum(SIZES)

LINEAR = {
    "head.weight": random.normal(size=(CLASSES, FEATURES)) * 0.3,
    "head.bias": random.normal(size=CLASSES) * 0.3,
}
NORMED = {
    "norm.weight": random.uniform(0.5, 1.5, size=FEATURES),
    "norm.bias": random.normal(size=FEATURES) * 0.3,
    "norm.runningMean": np.zeros(FEATURES),
    "norm.runningVariance": np.ones(FEATURES),
    **LINEAR,
}


def gradients(model, x, y):
    """The gradients of the mean cross-entropy; running statistics are moved in place."""
    h = x
    if "norm.weight" in model:
        n = len(x)
        mean, variance = x.mean(axis=0), x.var(axis=0)
        model["norm.runningMean"] = 0.9 * model["norm.runningMean"] + 0.1 * mean
        model["norm.runningVariance"] = 0.9 * model["norm.runningVariance"] + 0.1 * variance * n / (n - 1)
        normal = (x - mean) / np.sqrt(variance + 1e-5)
        h = normal * model["norm.weight"] + model["norm.bias"]
    logits = h @ model["head.weight"].T + model["head.bias"]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    p /= len(y)
    found = {"head.weight": p.T @ h, "head.bias": p.sum(axis=0)}
    if "norm.weight" in model:
        back = p @ model["head.weight"]
        found["norm.weight"] = (back * normal).sum(axis=0)
        found["norm.bias"] = back.sum(axis=0)
    return found


def train(start, site, rate, epochs=1, momentum=0.0, correct=lambda name, gradient, value: gradient):
    """SGD on a site; returns the model and the number of steps."""
    model = {name: value.copy() for name, value in start.items()}
    velocity = {name: np.zeros_like(value) for name, value in model.items()}
    x, y = SITES[site]
    steps = 0
    for _ in range(epochs):
        for first in range(0, len(x), BATCH):
            found = gradients(model, x[first : first + BATCH], y[first : first + BATCH])
            found = {name: correct(name, g, model[name]) for name, g in found.items()}
            for name, g in found.items():
                velocity[name] = momentum * velocity[name] + g
                model[name] = model[name] - rate * velocity[name]
            steps += 1
    return model, steps


def mean(models, sites, names=None):
    total = sum(SIZES[site] for site in sites)
    names = names or models[0].keys()
    return {name: sum(SIZES[site] / total * m[name] for site, m in zip(sites, models)) for name in names}


def fedavg(initial, server=None, **settings):
    """McMahan et al., 2017; with a server optimiser, Reddi et al., 2021."""
    x, rounds, memory = initial, [], {}
    for rate in RATES:
        averaged = mean([train(x, site, rate, **settings)[0] for site in range(4)], range(4))
        if server:
            x = {name: v if name in BUFFERS else server(x[name], v - x[name], memory.setdefault(name, {})) for name, v in averaged.items()}
        else:
            x = averaged
        rounds.append(x)
    return {"rounds": rounds}


def sgd(rate, momentum):
    """Hsu et al., 2019."""

    def step(x, change, memory):
        memory["v"] = momentum * memory.get("v", 0) + change
        return x + rate * memory["v"]

    return step


def adaptive(kind, rate, beta1, beta2=0.99, tau=1e-3):
    """Reddi et al., 2021, algorithm 2."""

    def step(x, change, memory):
        m = memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * change
        v, square = memory.get("v", tau**2), change**2
        if kind == "adagrad":
            v = v + square
        elif kind == "adam":
            v = beta2 * v + (1 - beta2) * square
        else:
            v = v - (1 - beta2) * square * np.sign(v - square)
        memory["v"] = v
        return x + rate * m / (np.sqrt(v) + tau)

    return step


def fedprox(initial, mu):
    """Li et al., 2020."""
    x, rounds = initial, []
    for rate in RATES:
        pull = lambda name, gradient, value: gradient + mu * (value - x[name])
        x = mean([train(x, site, rate, correct=pull)[0] for site in range(4)], range(4))
        rounds.append(x)
    return {"rounds": rounds}


def scaffold(initial, server_rate=1.0, momentum=0.0, drawn=None):
    """Karimireddy et al., 2020, algorithm 1 with option II; means by the number of examples."""
    trained = [name for name in initial if name not in BUFFERS]
    x, rounds, controls = initial, [], []
    c = {name: np.zeros_like(initial[name]) for name in trained}
    own = [{name: np.zeros_like(initial[name]) for name in trained} for _ in range(4)]
    for number, rate in enumerate(RATES):
        sites = drawn[number] if drawn else list(range(4))
        models, changes = [], []
        for site in sites:
            shift = lambda name, gradient, value: gradient + c[name] - own[site][name]
            y, steps = train(x, site, rate, momentum=momentum, correct=shift)
            reach = rate * sum((1 - momentum**k) / (1 - momentum) for k in range(1, steps + 1))
            new = {name: own[site][name] - c[name] + (x[name] - y[name]) / reach for name in trained}
            changes.append({name: new[name] - own[site][name] for name in trained})
            models.append(y)
            own[site] = new
        averaged, change = mean(models, sites), mean(changes, sites)
        x = {name: v if name in BUFFERS else x[name] + server_rate * (v - x[name]) for name, v in averaged.items()}
        c = {name: c[name] + len(sites) / 4 * change[name] for name in trained}
        rounds.append(x)
        controls.append(c)
    return {"rounds": rounds, "controls": controls, "sites": own, "drawn": drawn or [list(range(4))] * ROUNDS}


def ditto(initial, strength):
    """Li et al., 2021 (Ditto), algorithm 1."""
    x, rounds, personal = initial, [], [initial] * 4
    for rate in RATES:
        pull = lambda name, gradient, value: gradient + strength * (value - x[name])
        personal = [train(personal[site], site, rate, correct=pull)[0] for site in range(4)]
        x = mean([train(x, site, rate)[0] for site in range(4)], range(4))
        rounds.append(x)
    return {"rounds": rounds, "sites": personal}


def fedbn(initial):
    """Li et al., 2021 (FedBN), algorithm 1."""
    kept = [name for name in initial if name.startswith("norm.")]
    shared = [name for name in initial if name not in kept]
    x, rounds, own = initial, [], [{name: initial[name] for name in kept}] * 4
    for rate in RATES:
        models = [train({**x, **own[site]}, site, rate)[0] for site in range(4)]
        own = [{name: model[name] for name in kept} for model in models]
        x = {**x, **mean(models, range(4), shared)}
        rounds.append(x)
    return {"rounds": rounds, "sites": own}


def fednova(initial, epochs, momentum=0.0):
    """Wang et al., 2020: a is the vector of each gradient's weight in the sum of steps, in units of the learning rate."""
    x, rounds = initial, []
    for rate in RATES:
        models, norms = [], []
        for site in range(4):
            y, steps = train(x, site, rate, epochs=epochs[site], momentum=momentum)
            a = [(1 - momentum ** (steps - k)) / (1 - momentum) for k in range(steps)]
            models.append(y)
            norms.append(sum(a))
        effective = sum(size / EXAMPLES * norm for size, norm in zip(SIZES, norms))
        averaged = mean(models, range(4))
        x = {
            name: averaged[name]
            if name in BUFFERS
            else x[name]
            - effective
            * sum(size / EXAMPLES * rate * ((x[name] - y[name]) / (rate * norm)) for size, y, norm in zip(SIZES, models, norms))
            for name in x
        }
        rounds.append(x)
    return {"rounds": rounds}


cases = {
    "fedavg": fedavg(LINEAR),
    "fedavg normed": fedavg(NORMED, momentum=0.5),
    "fedavgm": fedavg(LINEAR, sgd(0.9, 0.7)),
    "fedsgd": fedavg(LINEAR, sgd(0.6, 0)),
    "fedadam": fedavg(LINEAR, adaptive("adam", 0.05, 0.9)),
    "fedadam normed": fedavg(NORMED, adaptive("adam", 0.05, 0.8, 0.9, 1e-2)),
    "fedadagrad": fedavg(LINEAR, adaptive("adagrad", 0.1, 0)),
    "fedyogi": fedavg(LINEAR, adaptive("yogi", 0.05, 0.9)),
    "fedprox": fedprox(LINEAR, 0.7),
    "scaffold": scaffold(LINEAR),
    "scaffold normed": scaffold(NORMED, momentum=0.5),
    "scaffold partial": scaffold(LINEAR, server_rate=0.8, drawn=DRAWN),
    "ditto": ditto(LINEAR, 0.4),
    "fedbn": fedbn(NORMED),
    "fednova": fednova(LINEAR, [1, 3, 2, 1]),
    "fednova normed": fednova(NORMED, [1, 3, 2, 1], momentum=0.5),
}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return value.ravel().tolist()
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


document = {
    "sites": [{"x": plain(x), "y": [int(label) for label in y]} for x, y in SITES],
    "initial": plain(NORMED),
    "cases": plain(cases),
}
# A case a line, so that a change shows which.
lines = [f"{json.dumps(name)}: {json.dumps(case)}" for name, case in document.pop("cases").items()]
text = json.dumps(document)[:-1] + ',\n"cases": {\n' + ",\n".join(lines) + "\n}}\n"
(pathlib.Path(__file__).parent / "algorithms.json").write_text(text)
