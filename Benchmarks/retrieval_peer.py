"""A training step of mural-small in PyTorch: EfficientNet-B0 at 64 pixels, BERT of 4 layers, both contrastive losses, AdamW.

    retrieval_peer.py STEPS THREADS

prints the median time of a step as JSON. The shapes, the batch and what is dropped are those of TesseraBenchmarks' `retrieval-step`.
"""

import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

PICTURES, PAIRS, LENGTH, VOCABULARY, WIDTH = 64, 64, 32, 8000, 256
STAGES = [(3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1)]


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Bottleneck(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion, dropping):
        super().__init__()
        inner, few = inputs * expansion, max(1, inputs // 4)
        self.expand = nn.Sequential(nn.Conv2d(inputs, inner, 1, bias=False), norm(inner), nn.SiLU()) if expansion > 1 else nn.Identity()
        self.depthwise = nn.Sequential(nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner, bias=False), norm(inner), nn.SiLU())
        self.gate = nn.Sequential(nn.Conv2d(inner, few, 1), nn.SiLU(), nn.Conv2d(few, inner, 1), nn.Sigmoid())
        self.project = nn.Sequential(nn.Conv2d(inner, outputs, 1, bias=False), norm(outputs))
        self.is_residual, self.dropping = stride == 1 and inputs == outputs, dropping

    def forward(self, x):
        h = self.depthwise(self.expand(x))
        h = self.project(h * self.gate(h.mean((2, 3), keepdim=True)))
        if not self.is_residual:
            return h
        kept = (torch.rand(len(x), 1, 1, 1) >= self.dropping) / (1 - self.dropping)
        return x + h * kept


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), norm(32), nn.SiLU())
        sizes, inputs = [], 32
        for kernel, stride, expansion, channels, count in STAGES:
            for index in range(count):
                sizes.append((inputs, channels, kernel, stride if index == 0 else 1, expansion))
                inputs = channels
        self.blocks = nn.Sequential(*[Bottleneck(*size, 0.1 * index / len(sizes)) for index, size in enumerate(sizes)])
        self.projection = nn.Linear(320, WIDTH)

    def forward(self, pixels):
        return F.normalize(self.projection(self.blocks(self.stem((pixels - 0.5) * 2)).mean((2, 3))), dim=1)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.first, self.second = nn.LayerNorm(WIDTH, 1e-12), nn.LayerNorm(WIDTH, 1e-12)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, mask):
        q, k, v = (part.view(len(x), LENGTH, 4, 64).transpose(1, 2) for part in self.input(x).chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(q, k, v, mask, dropout_p=0.1)
        x = self.first(x + F.dropout(self.output(mixed.transpose(1, 2).flatten(2)), 0.1))
        return self.second(x + F.dropout(self.narrow(F.gelu(self.wide(x))), 0.1))


class Texts(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions, self.types = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH), nn.Embedding(1, WIDTH)
        self.norm, self.layers = nn.LayerNorm(WIDTH, 1e-12), nn.ModuleList(Layer() for _ in range(4))
        self.projection = nn.Linear(WIDTH, WIDTH)

    def forward(self, numbers):
        mask = (numbers != 0)[:, None, None, :]
        x = F.dropout(self.norm(self.tokens(numbers) + self.positions.weight + self.types.weight[0]), 0.1)
        for layer in self.layers:
            x = layer(x, mask)
        return F.normalize(self.projection(x[:, 0]), dim=1)


def loss(a, b, scale):
    logits, own = a @ b.T * scale.exp(), torch.arange(len(a))
    return (F.cross_entropy(logits, own, label_smoothing=0.1) + F.cross_entropy(logits.T, own, label_smoothing=0.1)) / 2


steps, threads = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)
images, texts = Images(), Texts()
scales = nn.ParameterList(nn.Parameter(torch.tensor(2.659)) for _ in range(2))
parameters = [*images.parameters(), *texts.parameters(), *scales]
optimizer = torch.optim.AdamW([{"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
                               {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}], lr=1e-4, fused=True)
stored = torch.randint(0, 256, (512, 3, 64, 64), dtype=torch.uint8)
times = []
for step in range(steps + 3):
    shown = torch.randint(0, 512, (PICTURES,))
    numbers = torch.randint(1, VOCABULARY, (PICTURES + 2 * PAIRS, LENGTH))
    start = time.perf_counter()
    pictures, vectors = images(stored[shown].float() / 255), texts(numbers)
    total = loss(pictures, vectors[:PICTURES], scales[0]) + loss(vectors[PICTURES:PICTURES + PAIRS], vectors[PICTURES + PAIRS:], scales[1])
    optimizer.zero_grad()
    total.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    total.item()
    if step >= 3:
        times.append(time.perf_counter() - start)
print(json.dumps({"seconds": statistics.median(times)}))
