"""For training loops of PyTorch: three lines make one a site's trainer.

    import tessera_client.torch as tessera          # 1

    for part in tessera.rounds(network):            # 2, in place of: for epoch in range(10):
        loss = train_one_epoch(network, loader)
        part.send({"loss": loss}, samples=len(loader.dataset))  # 3
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

import numpy as np
import torch

from . import _rounds
from .safetensors import BFloat16Array
from .site import Site, init


def state(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """A module's parameters and buffers as arrays; of what lies on the CPU, over the same memory."""
    return {name: _array(tensor) for name, tensor in module.state_dict().items()}


def load(module: torch.nn.Module, parameters: Mapping[str, np.ndarray]) -> None:
    """Puts arrays into a module, on whatever device it is.

    Raises ``RuntimeError`` of PyTorch if names or shapes are not the module's.
    """
    module.load_state_dict({name: _tensor(array) for name, array in parameters.items()})


def rounds(
    module: torch.nn.Module,
    evaluate: Callable[[], Any] | None = None,
    best: str | None = None,
    site: Site | None = None,
) -> Iterator[_rounds.Round]:
    """Yields each round of training, with the global model loaded into a module.

    Other tasks are answered by themselves: first weights are the module's own; ``evaluate()`` returns metrics, or metrics and
    the number of examples they rest on, for a model that is loaded when it is called; the site's own model is the one that was
    sent last, or the one whose metric ``best`` was greatest.
    """
    return _rounds.rounds(
        site or init(), lambda parameters: load(module, parameters), lambda: state(module), evaluate, best
    )


def _array(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16).view(BFloat16Array)
    return tensor.numpy()


def _tensor(array: np.ndarray) -> torch.Tensor:
    if isinstance(array, BFloat16Array):
        return torch.from_numpy(np.array(array).view(np.ndarray).view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
