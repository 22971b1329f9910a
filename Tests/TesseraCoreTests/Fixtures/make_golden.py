"""Writes operations.safetensors: PyTorch's results for the operations of TesseraCore (torch 2.15, CPU).

    pip install torch numpy safetensors; python make_golden.py
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(1)
x = torch.randn(3, 4, dtype=torch.float64)
y = torch.randn(3, 4, dtype=torch.float64)
unit = torch.rand(3, 4, dtype=torch.float64) * 0.8 + 0.1
line = torch.randn(2, 4, 9, dtype=torch.float64)
image = torch.randn(2, 4, 7, 8, dtype=torch.float64)
volume = torch.randn(1, 2, 4, 5, 6, dtype=torch.float64)
square = torch.randn(4, 4, dtype=torch.float64)
symmetric = square @ square.T + torch.eye(4, dtype=torch.float64)
kernels = {n: torch.randn(6, 2, *[3] * n, dtype=torch.float64) for n in (1, 2)}
kernel3 = torch.randn(3, 2, 2, 2, 2, dtype=torch.float64)
transposed = {1: torch.randn(4, 3, 3, dtype=torch.float64), 2: torch.randn(4, 3, 3, 3, dtype=torch.float64)}
transposed3 = torch.randn(2, 3, 2, 2, 2, dtype=torch.float64)
bias6 = torch.randn(6, dtype=torch.float64)
channel = torch.randn(4, dtype=torch.float64)
spread = torch.rand(4, dtype=torch.float64) + 0.5
table = torch.randn(5, 3, dtype=torch.float64)
q, k, v = (torch.randn(2, 2, 5, 4, dtype=torch.float64) for _ in range(3))

inputs = {
    "x": x, "y": y, "unit": unit, "line": line, "image": image, "volume": volume, "square": square,
    "symmetric": symmetric, "kernel1": kernels[1], "kernel2": kernels[2], "kernel3": kernel3,
    "transposed1": transposed[1], "transposed2": transposed[2], "transposed3": transposed3, "bias6": bias6,
    "channel": channel, "spread": spread, "table": table, "q": q, "k": k, "v": v,
}
unary = {
    "exp": torch.exp, "log1p": lambda t: torch.log1p(t.abs()), "expm1": torch.expm1, "sin": torch.sin, "cos": torch.cos,
    "tan": torch.tan, "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh, "erf": torch.erf,
    "abs": torch.abs, "floor": torch.floor, "ceil": torch.ceil, "trunc": torch.trunc, "sign": torch.sign, "relu": F.relu,
    "sigmoid": torch.sigmoid, "silu": F.silu, "mish": F.mish, "hardswish": F.hardswish, "logSigmoid": F.logsigmoid,
    "gelu": F.gelu, "geluTanh": lambda t: F.gelu(t, approximate="tanh"), "leakyRelu": F.leaky_relu, "elu": F.elu,
    "softplus": F.softplus, "softmax": lambda t: F.softmax(t, 1), "logSoftmax": lambda t: F.log_softmax(t, 0),
}
unit_functions = {"log": torch.log, "log2": torch.log2, "log10": torch.log10, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt,
                  "asin": torch.asin, "acos": torch.acos}
out = {f"unary/{n}": f(x) for n, f in unary.items()} | {f"unit/{n}": f(unit) for n, f in unit_functions.items()}
out |= {
    "add": x + y, "subtract": x - y, "multiply": x * y, "divide": x / y, "power": unit ** y, "atan2": torch.atan2(x, y),
    "remainder": torch.remainder(x, y), "floorDivide": torch.floor_divide(x, y), "maximum": torch.maximum(x, y),
    "minimum": torch.minimum(x, y), "clamp": x.clamp(-0.5, 0.5),
    "sum": x.sum(), "sum1": x.sum(1), "mean0": x.mean(0, keepdim=True), "max1": x.amax(1), "min0": x.amin(0),
    "logsumexp": x.logsumexp(1), "norm": x.norm(), "variance": x.var(1), "cumsum": x.cumsum(1), "prod": x.prod(1),
    "argmax": x.argmax(1), "argmin": x.argmin(0), "sorted": x.sort(1).values, "order": x.sort(1).indices,
    "top": x.topk(2, 1).values, "topPositions": x.topk(2, 1).indices,
    "matmul": x @ y.T, "bmm": torch.bmm(line, line.transpose(1, 2)), "einsum": torch.einsum("bij,bkj->bik", line, line),
    "outer": torch.outer(channel, channel), "det": torch.det(square), "inverse": torch.inverse(square),
    "solve": torch.linalg.solve(square, y.T), "singular": torch.linalg.svdvals(x), "eigenvalues": torch.linalg.eigvalsh(symmetric),
    "cholesky": torch.linalg.cholesky(symmetric),
    "fftReal": torch.fft.fft(x, dim=1).real.contiguous(), "fftImaginary": torch.fft.fft(x, dim=1).imag.contiguous(),
    "rfftPadded": torch.view_as_real(torch.fft.rfft(x, n=6, dim=1, norm="ortho")).contiguous(),
    "conv1": F.conv1d(line, kernels[1], bias6, stride=2, padding=1, groups=2),
    "conv2": F.conv2d(image, kernels[2], bias6, stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=2),
    "conv3": F.conv3d(volume, kernel3, padding=1),
    "transposed1": F.conv_transpose1d(line, transposed[1], stride=2, padding=1, output_padding=1),
    "transposed2": F.conv_transpose2d(image, transposed[2], stride=2),
    "transposed3": F.conv_transpose3d(volume, transposed3, stride=2),
    "maxPool1": F.max_pool1d(line, 3, 2, 1), "maxPool2": F.max_pool2d(image, 2), "maxPool3": F.max_pool3d(volume, 2),
    "averagePool1": F.avg_pool1d(line, 3, 2, 1), "averagePool2": F.avg_pool2d(image, 3, 2, 1, count_include_pad=False),
    "averagePool3": F.avg_pool3d(volume, 2), "adaptive2": F.adaptive_avg_pool2d(image, (3, 2)),
    "adaptiveMax2": F.adaptive_max_pool2d(image, (3, 2)),
    "nearest1": F.interpolate(line, 13, mode="nearest"), "linear1": F.interpolate(line, 13, mode="linear"),
    "bilinear": F.interpolate(image, (10, 5), mode="bilinear", align_corners=True),
    "cubic": F.interpolate(image, (10, 5), mode="bicubic"), "trilinear": F.interpolate(volume, (6, 7, 3), mode="trilinear"),
    "layerNorm": F.layer_norm(line, [9]), "groupNorm": F.group_norm(image, 2, channel, spread),
    "instanceNorm": F.instance_norm(image, weight=channel, bias=spread),
    "batchNorm": F.batch_norm(image, channel, spread, spread, channel),
    "embeddings": F.embedding(torch.tensor([[0, 4], [2, 2]]), table),
    "bags": F.embedding_bag(torch.tensor([0, 4, 2, 2, 1]), table, torch.tensor([0, 2]), mode="mean"),
    "attention": F.scaled_dot_product_attention(q, k, v), "causal": F.scaled_dot_product_attention(q, k, v, is_causal=True),
    "reflect": F.pad(image, (2, 1, 0, 3), mode="reflect"), "replicate": F.pad(line, (1, 2), mode="replicate"),
    "constant": F.pad(x, (1, 0, 0, 2), value=7.0), "rolled": x.roll(1, 1), "flipped": x.flip(0, 1), "lower": square.tril(-1),
    "upper": square.triu(1), "gathered": x.gather(1, torch.tensor([[0, 3], [1, 1], [2, 0]])),
    "scattered": x.scatter(1, torch.tensor([[0, 3], [1, 2], [2, 0]]), y[:, :2]),
    "added": x.scatter_add(1, torch.tensor([[0, 0], [1, 1], [2, 0]]), y[:, :2]),
}
tensors = {f"in/{n}": t.contiguous() for n, t in inputs.items()} | {f"out/{n}": t.contiguous() for n, t in out.items()}
save_file(tensors, Path(__file__).parent / "operations.safetensors")
