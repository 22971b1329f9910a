"""pfl's side of `Benchmarks/measure training`: one line of JSON with the steps of all sites and the CPU-seconds they took.

    pfl_peer.py PARTITION IMAGES ROUNDS

PARTITION is a JSON list of each site's images, IMAGES the folder of Fashion-MNIST. The network, the batches, the local epoch,
SGD with momentum and the clipping of gradients are those of quickstart. Like Tessera's sites, each trains on one thread, which
costs the fewest CPU-seconds. The first round is not counted: pfl evaluates in it, and libraries warm up.
"""

import functools
import gzip
import json
import pathlib
import resource
import sys

import numpy
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.pytorch import PyTorchTensorDataset
from pfl.hyperparam import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel


class Classifier(torch.nn.Module):
    """Quickstart's network."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 16, 5, stride=2, padding=2)
        self.conv2 = torch.nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.hidden = torch.nn.Linear(32 * 7 * 7, 64)
        self.head = torch.nn.Linear(64, 10)

    def forward(self, images):
        features = torch.relu(self.conv2(torch.relu(self.conv1(images))))
        return self.head(torch.relu(self.hidden(features.flatten(1))))

    def loss(self, images, labels, is_eval=False):
        self.eval() if is_eval else self.train()
        return torch.nn.functional.cross_entropy(self(images), labels)

    @torch.no_grad()
    def metrics(self, images, labels):
        return {"loss": Weighted(self.loss(images, labels, True).item() * len(images), len(images))}


class Clock(TrainingProcessCallback):
    """CPU-seconds from the end of the first round to that of the last."""

    def __init__(self):
        self.ends = []

    def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.ends.append(usage.ru_utime + usage.ru_stime)
        return False, Metrics()


def main():
    partition = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder, rounds = pathlib.Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    torch.manual_seed(1)

    def read(name, header):
        return numpy.frombuffer(gzip.decompress((folder / name).read_bytes()), numpy.uint8, offset=header)

    images = torch.from_numpy(read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).copy()).float() / 255
    labels = torch.from_numpy(read("train-labels-idx1-ubyte.gz", 8).copy()).long()
    users = [PyTorchTensorDataset((images[site], labels[site]), user_id=str(number)) for number, site in enumerate(partition)]
    numbers = iter(range(sys.maxsize))
    dataset = FederatedDataset(lambda user: users[int(user)], lambda: next(numbers) % len(users))

    network = Classifier()
    model = PyTorchModel(network, functools.partial(torch.optim.SGD, momentum=0.9), torch.optim.SGD(network.parameters(), lr=1))
    clock = Clock()
    FederatedAveraging().run(
        NNAlgorithmParams(central_num_iterations=rounds + 1, evaluation_frequency=10**6, train_cohort_size=len(users),
                          val_cohort_size=0),
        SimulatedBackend(dataset, dataset), model,
        NNTrainHyperParams(local_learning_rate=0.05, local_num_epochs=1, local_batch_size=64, local_max_grad_norm=2.0),
        NNEvalHyperParams(local_batch_size=1000), callbacks=[clock], send_metrics_to_platform=False)
    with torch.no_grad():
        right = (network(images[:10_000]).argmax(1) == labels[:10_000]).float().mean().item()
    steps = rounds * sum(-(-len(site) // 64) for site in partition)
    print(json.dumps({"steps": steps, "cpu": clock.ends[-1] - clock.ends[0], "accuracy": right}))


main()
