"""A site's trainer: a small network in PyTorch. What makes it one are the lines with a number."""

import gzip
import os

import numpy as np
import tessera_client
import tessera_client.torch as tessera  # 1
import torch
from torch import nn

SITES = 3


def read(folder, name, header):
    with gzip.open(os.path.join(folder, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header).copy()


torch.set_num_threads(1)
site = tessera_client.init()
labels = torch.from_numpy(read(site.data, "train-labels-idx1-ubyte.gz", 8)).long()[site.index :: SITES]
images = torch.from_numpy(read(site.data, "train-images-idx3-ubyte.gz", 16)).view(-1, 1, 28, 28)[site.index :: SITES]
images = images.float() / 255
held = len(labels) // 10

network = nn.Sequential(
    nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 10)
)


def measure():
    network.eval()
    with torch.no_grad():
        right = (network(images[:held]).argmax(1) == labels[:held]).float().mean()
    return {"accuracy": float(right)}, held


for part in tessera.rounds(network, evaluate=measure, site=site):  # 2
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    order = held + torch.randperm(len(labels) - held, generator=torch.Generator().manual_seed(part.seed))
    total = 0.0
    for batch in order.split(64):
        loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
        part.progress()
    part.send({"loss": total / len(order)}, samples=len(order))  # 3
