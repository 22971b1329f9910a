"""For training loops of Keras: three lines make one a site's trainer.

    import tessera_client.keras as tessera          # 1

    for part in tessera.rounds(model):              # 2
        history = model.fit(images, labels, epochs=1)
        part.send({"loss": history.history["loss"][-1]}, samples=len(images))  # 3

Works with whatever has ``weights`` and ``set_weights``, as models of Keras have; Keras itself is not imported.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

import numpy as np

from . import _rounds
from .site import Site, init


def state(model: Any) -> dict[str, np.ndarray]:
    """A model's weights as arrays, under names that begin with their position: Keras does not keep names apart."""
    return {name: np.asarray(value) for name, value in zip(_names(model), model.get_weights())}


def load(model: Any, parameters: Mapping[str, np.ndarray]) -> None:
    """Puts arrays into a model that is built.

    Raises ``ValueError`` if their names are not those of the model's weights.
    """
    names = _names(model)
    if set(names) != set(parameters):
        differing = sorted(set(names) ^ set(parameters))
        raise ValueError(f"the weights differ from the model's: {differing[:3]}")
    model.set_weights([np.asarray(parameters[name]) for name in names])


def rounds(
    model: Any,
    evaluate: Callable[[], Any] | None = None,
    best: str | None = None,
    site: Site | None = None,
) -> Iterator[_rounds.Round]:
    """Yields each round of training, with the global model's weights set.

    Other tasks are answered as by :func:`tessera_client.torch.rounds`.
    """
    return _rounds.rounds(
        site or init(), lambda parameters: load(model, parameters), lambda: state(model), evaluate, best
    )


def _names(model: Any) -> list[str]:
    if not model.weights:
        raise ValueError("the model has no weights yet: build it, or call it once")
    # Layers of one kind count on over all models of a process, so their own names differ from process to process.
    return [f"{index:03d}.{_last(weight)}" for index, weight in enumerate(model.weights)]


def _last(weight: Any) -> str:
    return str(weight.name).split("/")[-1].split(":")[0]
