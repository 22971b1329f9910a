"""The loop that trainers of any framework share: what differs is how a model is loaded and read."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

import numpy as np

from .errors import TesseraError
from .site import EVALUATE, INITIALIZE, SUBMIT_MODEL, TRAIN, Model, Site


class Round:
    """A round of training: the global model has been loaded, and :meth:`send` answers with what became of it."""

    def __init__(self, site: Site, model: Model, state: Callable[[], dict[str, np.ndarray]]):
        #: The site that trains.
        self.site = site
        #: The task as it was received.
        self.model = model
        self._state = state
        self.metrics: dict[str, float] | None = None

    @property
    def number(self) -> int:
        """The round's number, from 1."""
        return self.model.round

    @property
    def seed(self) -> int:
        """Seeds the random draws of this round."""
        return self.model.seed

    def send(
        self,
        metrics: Mapping[str, float] | None = None,
        samples: int | None = None,
        steps: int | None = None,
    ) -> None:
        """Answers with the model as it is now."""
        self.site.send(self._state(), metrics, samples, steps)
        self.metrics = dict(metrics or {})

    def log(self, name: str, value: float, step: int | None = None) -> None:
        """Notes a measurement in the site's own log."""
        self.site.log(name, value, step)

    def progress(self) -> None:
        """Says that the work goes on."""
        self.site.progress()


def rounds(
    site: Site,
    load: Callable[[Mapping[str, np.ndarray]], None],
    state: Callable[[], dict[str, np.ndarray]],
    evaluate: Callable[[], Any] | None,
    best: str | None,
) -> Iterator[Round]:
    """Yields the rounds of training, and answers all other tasks."""
    kept: dict[str, np.ndarray] | None = None
    score = -np.inf
    while site.is_running():
        model = site.receive()
        if model.task == INITIALIZE:
            site.send(state())
        elif model.task == TRAIN:
            load(model.parameters)
            part = Round(site, model, state)
            yield part
            if part.metrics is None:
                raise TesseraError(f"round {model.round} was not answered: call send() of what rounds() yields")
            reached = part.metrics.get(best, -np.inf) if best else np.inf
            if kept is None or reached >= score:
                score = reached
                kept = {name: np.array(value, subok=True) for name, value in state().items()}
        elif model.task == SUBMIT_MODEL:
            if kept is None:
                site.refuse("nothing to share")
            else:
                site.send(kept)
        elif model.task == EVALUATE and evaluate is not None:
            load(model.parameters)
            answer = evaluate()
            metrics, samples = answer if isinstance(answer, tuple) else (answer, None)
            site.send_metrics(metrics, samples)
        else:
            site.refuse("unknown task")
