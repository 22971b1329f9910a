"""A site's trainer: a network with one hidden layer, in NumPy."""

import gzip
import os

import numpy as np
import tessera_client

HIDDEN, BATCH, RATE, SITES = 64, 64, 0.1, 3


def read(folder, name, header):
    with gzip.open(os.path.join(folder, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def load(site):
    """The site's images, a tenth of them to measure with."""
    labels = read(site.data, "train-labels-idx1-ubyte.gz", 8)
    images = read(site.data, "train-images-idx3-ubyte.gz", 16).reshape(len(labels), -1)
    images = images[site.index :: SITES].astype(np.float32) / 255
    labels = labels[site.index :: SITES]
    count = len(labels) // 10
    return (images[count:], labels[count:]), (images[:count], labels[:count])


def initialize(model):
    random = model.generator()
    return {
        "hidden.weight": random.normal(0, 784**-0.5, (784, HIDDEN)).astype(np.float32),
        "hidden.bias": np.zeros(HIDDEN, np.float32),
        "output.weight": random.normal(0, HIDDEN**-0.5, (HIDDEN, 10)).astype(np.float32),
        "output.bias": np.zeros(10, np.float32),
    }


def forward(weights, images):
    hidden = np.maximum(images @ weights["hidden.weight"] + weights["hidden.bias"], 0)
    scores = hidden @ weights["output.weight"] + weights["output.bias"]
    scores -= scores.max(1, keepdims=True)
    shares = np.exp(scores)
    return hidden, shares / shares.sum(1, keepdims=True)


def main():
    site = tessera_client.init()
    (images, labels), (held_images, held_labels) = load(site)

    def train(model):
        weights, losses = model.parameters, []
        order = model.generator().permutation(len(labels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            x, y = images[batch], labels[batch]
            hidden, shares = forward(weights, x)
            losses.append(-np.log(shares[np.arange(BATCH), y] + 1e-12).mean())
            # The gradient of the cross-entropy at the scores.
            shares[np.arange(BATCH), y] -= 1
            shares /= BATCH
            back = (shares @ weights["output.weight"].T) * (hidden > 0)
            weights["output.weight"] -= RATE * (hidden.T @ shares)
            weights["output.bias"] -= RATE * shares.sum(0)
            weights["hidden.weight"] -= RATE * (x.T @ back)
            weights["hidden.bias"] -= RATE * back.sum(0)
            site.progress()
        loss = float(np.mean(losses))
        site.log("loss", loss, model.round)
        return tessera_client.Update(weights, {"loss": loss}, samples=len(labels), steps=len(losses))

    def evaluate(model):
        _, shares = forward(model.parameters, held_images)
        return {"accuracy": float((shares.argmax(1) == held_labels).mean())}, len(held_labels)

    site.serve(train=train, evaluate=evaluate, initialize=initialize)


main()
