#!/usr/bin/env python3
"""Makes the reference values of TesseraNN's tests with PyTorch.

Needs torch and safetensors. Run it in this folder; it writes layers.safetensors, losses.safetensors,
optimizers.safetensors and schedules.safetensors. Names are "case/tensor":

    x, y          input and output; "seed" is the derivative by the output
    p.NAME        a parameter or a buffer, under the name that TesseraNN gives it
    d.x, d.NAME   derivatives of sum(y * seed)
    after.NAME    a buffer after the forward pass
"""

import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

torch.manual_seed(20240607)
torch.set_num_threads(1)
here = pathlib.Path(__file__).parent


def write(name, tensors):
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, here / f"{name}.safetensors")


def differentiate(out, case, y, inputs):
    """Adds y, a seed, and the derivatives of sum(y * seed) by `inputs` (name -> tensor)."""
    seed = torch.randn_like(y)
    out[f"{case}/y"] = y
    out[f"{case}/seed"] = seed
    for name, gradient in zip(inputs, torch.autograd.grad(y, list(inputs.values()), seed)):
        out[f"{case}/d.{name}"] = gradient


# --- layers ---------------------------------------------------------------------------------------------------

layers = {}


def layer(case, module, *shape, names=None, x=None, differentiable=True, call=None):
    """Runs a torch module. `names` maps torch's names to TesseraNN's; the rest keep theirs."""
    names = names or {}
    if x is None:
        x = torch.randn(*shape)
    if differentiable:
        x.requires_grad_(True)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
        padding = getattr(module, "padding_idx", None)
        if padding is not None:
            module.weight[padding] = 0
    layers[f"{case}/x"] = x
    inputs = {"x": x} if differentiable else {}
    for name, parameter in module.named_parameters():
        layers[f"{case}/p.{names.get(name, name)}"] = parameter
        inputs[names.get(name, name)] = parameter
    for name, buffer in module.named_buffers():
        if name in names:
            layers[f"{case}/p.{names[name]}"] = buffer.clone()
    y = (call or (lambda m, x: m(x)))(module, x)
    differentiate(layers, case, y, inputs)
    for name, buffer in module.named_buffers():
        if name in names:
            layers[f"{case}/after.{names[name]}"] = buffer


layer("linear", nn.Linear(5, 3), 4, 5)
layer("linear.plain", nn.Linear(5, 3, bias=False), 2, 3, 5)
layer("conv1d", nn.Conv1d(2, 3, 3), 2, 2, 9)
layer("conv1d.options", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), 2, 4, 11)
layer("conv2d", nn.Conv2d(2, 3, 3, padding=1), 2, 2, 6, 5)
layer("conv2d.options", nn.Conv2d(4, 4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=4, bias=False), 2, 4, 7, 6)
layer("conv3d", nn.Conv3d(2, 2, 2), 1, 2, 4, 3, 5)
layer("conv3d.options", nn.Conv3d(2, 4, 3, stride=(1, 2, 2), padding=1, dilation=(1, 1, 2), groups=2), 1, 2, 4, 5, 6)
layer("convTranspose1d", nn.ConvTranspose1d(2, 3, 3), 2, 2, 5)
layer("convTranspose1d.options", nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, groups=2, dilation=2), 2, 4, 4)
layer("convTranspose2d", nn.ConvTranspose2d(2, 3, 2, stride=2), 2, 2, 3, 4)
layer("convTranspose2d.options", nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=(1, 0), groups=2), 1, 4, 3, 3)
layer("convTranspose3d", nn.ConvTranspose3d(2, 2, 2, stride=2), 1, 2, 2, 2, 3)
layer("convTranspose3d.options", nn.ConvTranspose3d(2, 4, 3, stride=2, padding=1, output_padding=1, dilation=(1, 1, 2), groups=2, bias=False), 1, 2, 2, 3, 2)

running = {"running_mean": "runningMean", "running_var": "runningVariance"}
layer("batchNorm.training", nn.BatchNorm2d(3, momentum=0.2, eps=1e-3), 4, 3, 2, 3, names=running)
layer("batchNorm.training1d", nn.BatchNorm1d(3), 5, 3, names=running)
layer("batchNorm.training3d", nn.BatchNorm3d(2), 2, 2, 2, 3, 2, names=running)
frozen = nn.BatchNorm2d(3)
frozen.running_mean.normal_()
frozen.running_var.uniform_(0.5, 2)
layer("batchNorm.evaluation", frozen.eval(), 2, 3, 2, 2, names=running)
layer("instanceNorm", nn.InstanceNorm2d(3), 2, 3, 4, 3)
layer("instanceNorm.affine", nn.InstanceNorm3d(2, affine=True), 2, 2, 2, 3, 2)
layer("groupNorm", nn.GroupNorm(2, 4), 2, 4, 3, 2)
layer("layerNorm", nn.LayerNorm(5), 2, 3, 5)
layer("layerNorm.two", nn.LayerNorm((3, 4)), 2, 3, 4)

indices = torch.tensor([[1, 0, 3], [2, 2, 5]])
layer("embedding", nn.Embedding(6, 3), x=indices, differentiable=False)
layer("embedding.padding", nn.Embedding(6, 3, padding_idx=2), x=indices, differentiable=False)
bags, offsets = torch.tensor([1, 0, 3, 3, 5, 2, 4]), torch.tensor([0, 3, 4])
for mode in ["sum", "mean", "max"]:
    layer(f"embeddingBag.{mode}", nn.EmbeddingBag(6, 3, mode=mode), x=bags, differentiable=False, call=lambda m, x: m(x, offsets))
factors = torch.tensor([0.5, -1, 2, 1, 3, 0.25, 1.5])
layer("embeddingBag.weighted", nn.EmbeddingBag(6, 3, mode="sum"), x=bags, differentiable=False, call=lambda m, x: m(x, offsets, factors))

attention_names = {"in_proj_weight": "input.weight", "in_proj_bias": "input.bias", "out_proj.weight": "output.weight", "out_proj.bias": "output.bias"}
allowed = torch.tensor([[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 0, 1]], dtype=torch.bool)
layers["attention.mask/allowed"] = allowed
causal = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
# torch's masks say what is forbidden.
for case, forbidden in [("attention", None), ("attention.mask", ~allowed), ("attention.causal", causal), ("attention.both", ~allowed | causal)]:
    layer(case, nn.MultiheadAttention(6, 2, batch_first=True), 2, 4, 6, names=attention_names,
          call=lambda m, x: m(x, x, x, attn_mask=forbidden, need_weights=False)[0])
other = torch.randn(2, 3, 6)
layers["attention.cross/other"] = other
layer("attention.cross", nn.MultiheadAttention(6, 3, batch_first=True, bias=False), 2, 4, 6, names=attention_names,
      call=lambda m, x: m(x, other, other, need_weights=False)[0])


def function(case, call, *shape):
    layer(case, nn.Identity(), *shape, call=lambda m, x: call(x))


function("maxPool1d", lambda x: F.max_pool1d(x, 2), 2, 2, 7)
function("maxPool2d", lambda x: F.max_pool2d(x, (3, 2), stride=(2, 1), padding=(1, 0)), 1, 2, 6, 5)
function("maxPool3d", lambda x: F.max_pool3d(x, 2, stride=1, padding=1), 1, 2, 3, 3, 2)
function("averagePool1d", lambda x: F.avg_pool1d(x, 3, stride=2, padding=1), 2, 2, 7)
function("averagePool2d", lambda x: F.avg_pool2d(x, (3, 2), stride=(2, 1), padding=(1, 1)), 1, 2, 6, 5)
function("averagePool2d.uncounted", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False), 1, 2, 6, 5)
function("averagePool3d", lambda x: F.avg_pool3d(x, 2), 1, 2, 4, 2, 5)
function("adaptiveAveragePool1d", lambda x: F.adaptive_avg_pool1d(x, 3), 2, 2, 7)
function("adaptiveAveragePool2d", lambda x: F.adaptive_avg_pool2d(x, (2, 3)), 1, 2, 5, 7)
function("adaptiveAveragePool3d", lambda x: F.adaptive_avg_pool3d(x, (2, 1, 3)), 1, 2, 3, 4, 5)
function("adaptiveMaxPool1d", lambda x: F.adaptive_max_pool1d(x, 3), 2, 2, 7)
function("adaptiveMaxPool2d", lambda x: F.adaptive_max_pool2d(x, (2, 3)), 1, 2, 5, 7)
function("adaptiveMaxPool3d", lambda x: F.adaptive_max_pool3d(x, (2, 1, 3)), 1, 2, 3, 4, 5)

for name, call in {
    "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "silu": F.silu, "mish": F.mish, "hardswish": F.hardswish,
    "logSigmoid": F.logsigmoid, "gelu": F.gelu, "gelu.approximate": lambda x: F.gelu(x, approximate="tanh"),
    "leakyRelu": lambda x: F.leaky_relu(x, 0.2), "elu": lambda x: F.elu(x, 1.5), "softplus": lambda x: F.softplus(x, 2),
    "softmax": lambda x: F.softmax(x, 1), "logSoftmax": lambda x: F.log_softmax(x, 0),
}.items():
    function(name, lambda x: call(3 * x), 4, 5)

for name, mode, shape, size in [
    ("1d", "linear", (1, 2, 4), (7,)), ("2d", "bilinear", (1, 2, 3, 4), (5, 6)), ("3d", "trilinear", (1, 1, 2, 3, 2), (3, 5, 4)),
]:
    function(f"resized.nearest{name}", lambda x: F.interpolate(x, size, mode="nearest"), *shape)
    function(f"resized.linear{name}", lambda x: F.interpolate(x, size, mode=mode), *shape)
    function(f"resized.corners{name}", lambda x: F.interpolate(x, size, mode=mode, align_corners=True), *shape)
function("resized.cubic2d", lambda x: F.interpolate(x, (5, 6), mode="bicubic"), 1, 2, 3, 4)
layer("rmsNorm", nn.RMSNorm(5, eps=1e-5), 2, 3, 5)
layer("rmsNorm.two", nn.RMSNorm((3, 4), eps=1e-3), 2, 3, 4)
write("layers", layers)

# --- losses ---------------------------------------------------------------------------------------------------

losses = {}


def loss(case, call, x, **others):
    x = x.clone().requires_grad_(True)
    losses[f"{case}/x"] = x
    for name, tensor in others.items():
        losses[f"{case}/{name}"] = tensor
    differentiate(losses, case, call(x, **others), {"x": x})


def dice(p, target, smoothing=1e-5):
    """Milletari et al. (2016), with |x| for a sum: 1 - 2 |p t| / (|p| + |t|), per sample and class."""
    p, target = p.flatten(2), target.flatten(2)
    return (1 - (2 * (p * target).sum(2) + smoothing) / (p.sum(2) + target.sum(2) + smoothing)).mean()


def one_hot(labels, classes):
    return F.one_hot(labels, classes).movedim(-1, 1).float()


logits, labels = torch.randn(5, 4), torch.tensor([3, 0, 2, 2, 1])
volume, volume_labels = torch.randn(2, 3, 2, 3, 2), torch.randint(0, 3, (2, 2, 3, 2))
weights = torch.tensor([1.0, 0.5, 2.0, 0.25])
for reduction in ["mean", "sum", "none"]:
    loss(f"crossEntropy.{reduction}", lambda x, labels: F.cross_entropy(x, labels, reduction=reduction), logits, labels=labels)
loss("crossEntropy.smoothing", lambda x, labels: F.cross_entropy(x, labels, label_smoothing=0.2), logits, labels=labels)
loss("crossEntropy.weights", lambda x, labels, weights: F.cross_entropy(x, labels, weights), logits, labels=labels, weights=weights)
loss("crossEntropy.all", lambda x, labels, weights: F.cross_entropy(x, labels, weights, ignore_index=2, label_smoothing=0.1), logits, labels=labels, weights=weights)
loss("crossEntropy.ignoring", lambda x, labels: F.cross_entropy(x, labels, ignore_index=2), logits, labels=labels)
loss("crossEntropy.volume", lambda x, labels: F.cross_entropy(x, labels), volume, labels=volume_labels)
loss("crossEntropy.probabilities", lambda x, target: F.cross_entropy(x, target), logits, target=torch.randn(5, 4).softmax(1))
x, probabilities = torch.randn(3, 4), torch.rand(3, 4)
bits = (torch.rand(3, 4) > 0.5).float()
loss("binaryCrossEntropy", F.binary_cross_entropy_with_logits, x, target=probabilities)
loss("binaryCrossEntropy.weights", lambda x, target, weight, positive: F.binary_cross_entropy_with_logits(x, target, weight, pos_weight=positive),
     x, target=probabilities, weight=torch.rand(3, 4), positive=torch.rand(4) * 3)
target = torch.randn(3, 4)
for reduction in ["mean", "sum", "none"]:
    loss(f"meanSquaredError.{reduction}", lambda x, target: F.mse_loss(x, target, reduction=reduction), x, target=target)
    loss(f"meanAbsoluteError.{reduction}", lambda x, target: F.l1_loss(x, target, reduction=reduction), x, target=target)
    loss(f"huber.{reduction}", lambda x, target: F.huber_loss(x, target, reduction=reduction, delta=0.7), x, target=target)


def focal(x, target, gamma=2, alpha=0.25):
    """Lin et al. (2017), equation 5: -alpha_t (1 - p_t)^gamma log(p_t)."""
    p = torch.sigmoid(x)
    right = torch.where(target == 1, p, 1 - p)
    factor = 1 if alpha is None else torch.where(target == 1, alpha, 1 - alpha)
    return (-factor * (1 - right) ** gamma * right.log()).mean()


loss("focal", focal, x, target=bits)
loss("focal.plain", lambda x, target: focal(x, target, 1.5, None), x, target=bits)
loss("dice", dice, torch.rand(2, 3, 4, 3), target=one_hot(torch.randint(0, 3, (2, 4, 3)), 3))
loss("dice.foreground", lambda x, target: dice(x[:, 1:], target[:, 1:]), torch.rand(2, 3, 4, 3), target=one_hot(torch.randint(0, 3, (2, 4, 3)), 3))
loss("diceCrossEntropy", lambda x, labels: dice(x.softmax(1), one_hot(labels, 3)) + F.cross_entropy(x, labels), volume, labels=volume_labels)
loss("diceCrossEntropy.weighted",
     lambda x, labels: 0.3 * dice(x.softmax(1)[:, 1:], one_hot(labels, 3)[:, 1:]) + 0.7 * F.cross_entropy(x, labels), volume, labels=volume_labels)


def contrastive(a, other, temperature, smoothing=0.0):
    """Jia et al. (2021), equations 1 and 2, halved: the mean over both directions of -log softmax at the pair."""
    scores = a @ other.T / temperature
    n = len(a)
    wanted = torch.eye(n) * (1 - smoothing) + smoothing / n
    rows = -(wanted * scores.log_softmax(1)).sum(1).mean()
    columns = -(wanted * scores.log_softmax(0)).sum(0).mean()
    return (rows + columns) / 2


pairs = dict(other=F.normalize(torch.randn(4, 3), dim=1), temperature=torch.tensor(0.3))
loss("contrastive", contrastive, F.normalize(torch.randn(4, 3), dim=1), **pairs)
loss("contrastive.smoothing", lambda x, other, temperature: contrastive(x, other, temperature, 0.1), F.normalize(torch.randn(4, 3), dim=1), **pairs)


def masked(a, other, temperature, excluded, smoothing=0.0, margin=0.0):
    """As contrastive, with what is excluded out of both sums, and the pairs less similar by a margin (Yang et al., 2019, equation 5)."""
    n = len(a)
    total = 0
    for scores, left in ((a @ other.T, excluded), (other @ a.T, excluded.T)):
        for i in range(n):
            kept = [j for j in range(n) if j == i or not left[i, j]]
            logits = torch.stack([(scores[i, j] - (margin if j == i else 0)) / temperature for j in kept])
            wanted = torch.tensor([smoothing / len(kept) + (1 - smoothing if j == i else 0) for j in kept])
            total = total - (wanted * logits.log_softmax(0)).sum() / n
    return total / 2


with torch.random.fork_rng():
    torch.manual_seed(77)
    rows = F.normalize(torch.randn(5, 3), dim=1)
    pairs = dict(other=F.normalize(torch.randn(5, 3), dim=1), temperature=torch.tensor(0.3))
    excluded = torch.zeros(5, 5, dtype=torch.bool)
    excluded[0, 2] = excluded[2, 0] = excluded[1, 4] = excluded[3, 3] = True
    loss("contrastive.margin", lambda x, other, temperature: masked(x, other, temperature, torch.zeros(5, 5, dtype=torch.bool), 0.0, 0.3), rows, **pairs)
    loss("contrastive.excluding", masked, rows, **pairs, excluded=excluded)
    loss("contrastive.all", lambda x, other, temperature, excluded: masked(x, other, temperature, excluded, 0.1, 0.2), rows, **pairs, excluded=excluded)
write("losses", losses)

# --- optimisers: five steps on two parameters with fixed gradients ----------------------------------------------

optimizers = {}
first = [torch.randn(3, 4), torch.randn(5)]
steps = [[torch.randn(3, 4), torch.randn(5)] for _ in range(5)]
for index, parameter in enumerate(first):
    optimizers[f"start/{index}"] = parameter
    for step in range(5):
        optimizers[f"gradient/{step}.{index}"] = steps[step][index]


def trace(case, step_function):
    """Records the parameters after each step of `step_function(parameters, gradients, step)`."""
    parameters = [p.clone().requires_grad_(True) for p in first]
    apply = step_function(parameters)
    for step in range(5):
        apply(steps[step])
        for index, parameter in enumerate(parameters):
            optimizers[f"{case}/{step}.{index}"] = parameter.detach().clone()


def torch_optimizer(make):
    def start(parameters):
        optimizer = make(parameters)

        def apply(gradients):
            for parameter, gradient in zip(parameters, gradients):
                parameter.grad = gradient.clone()
            optimizer.step()

        return apply

    return start


def lamb(parameters, rate=0.02, betas=(0.9, 0.99), epsilon=1e-6, decay=0.05):
    """You et al. (2020), algorithm 2, with phi the identity."""
    m, v, t = [torch.zeros_like(p) for p in parameters], [torch.zeros_like(p) for p in parameters], 0

    @torch.no_grad()
    def apply(gradients):
        nonlocal t
        t += 1
        for i, (p, g) in enumerate(zip(parameters, gradients)):
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            v[i] = betas[1] * v[i] + (1 - betas[1]) * g * g
            r = (m[i] / (1 - betas[0] ** t)) / ((v[i] / (1 - betas[1] ** t)).sqrt() + epsilon) + decay * p
            p -= rate * p.norm() / r.norm() * r

    return apply


def novograd(parameters, rate=0.02, betas=(0.95, 0.98), epsilon=1e-8, decay=0.01):
    """Ginsburg et al. (2019), algorithm 1."""
    m, v, t = [None] * len(parameters), [None] * len(parameters), 0

    @torch.no_grad()
    def apply(gradients):
        nonlocal t
        t += 1
        for i, (p, g) in enumerate(zip(parameters, gradients)):
            square = g.norm() ** 2
            v[i] = square if t == 1 else betas[1] * v[i] + (1 - betas[1]) * square
            direction = g / (v[i].sqrt() + epsilon) + decay * p
            m[i] = direction if t == 1 else betas[0] * m[i] + direction
            p -= rate * m[i]

    return apply


trace("sgd", torch_optimizer(lambda p: torch.optim.SGD(p, 0.1)))
trace("sgd.momentum", torch_optimizer(lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, dampening=0.2)))
trace("sgd.nesterov", torch_optimizer(lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True)))
trace("sgd.decay", torch_optimizer(lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1)))
trace("adam", torch_optimizer(lambda p: torch.optim.Adam(p, 0.05)))
trace("adam.decay", torch_optimizer(lambda p: torch.optim.Adam(p, 0.05, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)))
trace("adamw", torch_optimizer(lambda p: torch.optim.AdamW(p, 0.05, weight_decay=0.2)))
trace("lamb", lamb)
trace("novograd", novograd)
clipped = [g.clone().requires_grad_(True) for g in steps[0]]
for parameter, gradient in zip(clipped, steps[0]):
    parameter.grad = gradient.clone()
optimizers["clipping/norm"] = nn.utils.clip_grad_norm_(clipped, 1.5)
for index, parameter in enumerate(clipped):
    optimizers[f"clipping/{index}"] = parameter.grad
write("optimizers", optimizers)

# --- schedules --------------------------------------------------------------------------------------------------


def rates(make, count=13):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], 0.4)
    scheduler = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return torch.tensor(found, dtype=torch.float64)


schedulers = torch.optim.lr_scheduler
write("schedules", {
    "step": rates(lambda o: schedulers.StepLR(o, 3, 0.5)),
    "polynomial": rates(lambda o: schedulers.PolynomialLR(o, 10, 2.0)),
    "cosine": torch.tensor([0.1 + 0.3 * (1 + math.cos(math.pi * min(step, 10) / 10)) / 2 for step in range(13)], dtype=torch.float64),
    "cosine.torch": rates(lambda o: schedulers.CosineAnnealingLR(o, 12, 0.1)),
    "multiStep": rates(lambda o: schedulers.MultiStepLR(o, [2, 6, 6], 0.5)),
    "oneCycle": rates(lambda o: schedulers.OneCycleLR(o, 0.5, total_steps=14, pct_start=0.3, cycle_momentum=False)),
})
