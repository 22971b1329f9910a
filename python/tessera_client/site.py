"""What a trainer has of its site."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Protocol

import numpy as np

from . import safetensors
from ._version import __version__
from .channel import ORPHAN_GRACE, Channel
from .errors import NotFederatedError, ProtocolError, TesseraAborted, TesseraEnded, TesseraError
from .safetensors import BFloat16Array

#: The version of the protocol that this client speaks.
PROTOCOL = 1

#: Signs of life are not sent more often than this, in seconds.
_PROGRESS_INTERVAL = 0.05

TRAIN = "train"
EVALUATE = "evaluate"
SUBMIT_MODEL = "submit model"
INITIALIZE = "initialize"

#: Why a program has no answer, in the words of the protocol.
REFUSALS = ("unknown task", "bad task", "nothing to share", "failed")


@dataclass(frozen=True)
class Model:
    """A task: what is to be done, and the model to do it with."""

    #: The tensors by name, in the model's order. They can be written to.
    parameters: dict[str, np.ndarray]
    #: The round, from 1.
    round: int
    #: How many rounds there are at most; ``None`` if nobody knows.
    rounds: int | None
    #: What is known of the model: ``samples``, ``weight``, ``steps``, ``algorithm``, ``contributor``, as far as it was said;
    #: and ``metrics`` and ``headers`` that came with it.
    metadata: dict[str, Any]
    #: What is to be done: ``train``, ``evaluate``, ``submit model``, ``initialize``, or a workflow's own.
    task: str
    #: Seeds the random draws of this site in this task: with it, a run that is repeated has the same result.
    seed: int = 0
    #: 1, or 2 if the program died on the first attempt.
    attempt: int = 1
    #: The number of the task.
    id: int = 0

    def generator(self) -> np.random.Generator:
        """NumPy's random numbers, seeded by the task."""
        return np.random.default_rng(self.seed)


@dataclass
class Update:
    """What a function that trains answers, for :meth:`Site.serve`."""

    parameters: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)
    samples: int | None = None
    steps: int | None = None


class _Connection(Protocol):
    def send(self, message: dict[str, Any]) -> None: ...
    def receive(self) -> dict[str, Any]: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


class Site:
    """The site that this program trains for.

    Made by :func:`tessera_client.init`. One thread uses it.
    """

    def __init__(self, connection: _Connection):
        self._connection = connection
        self._next: dict[str, Any] | None = None
        self._model: Model | None = None
        self._is_over = False
        self._file_count = 0
        self._last_progress = 0.0
        try:
            connection.send({"type": "hello", "protocol": [PROTOCOL], "client": f"tessera-client {__version__}"})
            welcome = connection.receive()
            if welcome.get("type") != "welcome" or welcome.get("protocol") != PROTOCOL:
                raise ProtocolError(f"the site does not speak version {PROTOCOL} of the protocol")
        except BaseException:
            connection.close()
            raise
        #: The job's name.
        self.job: str = welcome["job"]
        #: The site's name.
        self.name: str = welcome["site"]
        #: The site's position in the job's list of sites, from 0.
        self.index: int = welcome["site_index"]
        #: Where the site's own data are: a folder or a file; ``None`` if the site has said nothing.
        self.data: str | None = welcome.get("data")
        #: Where files to and from the site lie; removed at the job's end.
        self.folder: str = welcome["folder"]

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the site: for programs that go on with something else."""
        self._is_over = True
        self._connection.close()

    # Receiving

    def is_running(self) -> bool:
        """Waits until there is a task, or the job is over.

        Returns ``True`` if there is a task to :meth:`receive`, and ``False`` at the job's end.

        Raises :class:`TesseraAborted` if the job is aborted.
        """
        self._connection.check()
        if self._next is not None:
            return True
        if self._is_over:
            return False
        message = self._connection.receive()
        kind = message.get("type")
        if kind == "end":
            self._is_over = True
            return False
        if kind != "task":
            raise ProtocolError(f"the site sent '{kind}' where a task was expected")
        self._next = message
        return True

    def receive(self) -> Model:
        """The next task; waits for it.

        Raises :class:`TesseraEnded` at the job's end, and :class:`TesseraAborted` if the job is aborted.
        """
        if self._model is not None:
            raise ProtocolError(f"the task '{self._model.task}' has to be answered, or refused, before the next is received")
        if not self.is_running():
            raise TesseraEnded("the job is over")
        message, self._next = self._next, None
        assert message is not None
        parameters: dict[str, np.ndarray] = {}
        if message.get("file") is not None:
            parameters, _ = safetensors.read(self._path(message["file"]))
        metadata = dict(message.get("metadata") or {})
        metadata["metrics"] = {name: float(value) for name, value in (message.get("metrics") or {}).items()}
        metadata["headers"] = message.get("headers") or {}
        self._model = Model(
            parameters=parameters,
            round=message["round"],
            rounds=message.get("rounds"),
            metadata=metadata,
            task=message["name"],
            seed=message["seed"],
            attempt=message.get("attempt", 1),
            id=message["task"],
        )
        return self._model

    # Answering

    def send(
        self,
        parameters: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        samples: int | None = None,
        steps: int | None = None,
        kind: str = "weights",
    ) -> None:
        """Answers the task that was received last.

        ``parameters`` are the model's tensors, all of them under the names, shapes and types that were received; floating-point
        numbers of another size are converted. With ``kind="difference"`` they are what is to be added to the model.

        ``samples`` says how many examples they rest on: the weight in the mean of all sites. ``steps`` says how many steps of an
        optimiser led to them.
        """
        model = self._answered("send")
        if kind not in ("weights", "difference"):
            raise ValueError(f"kind is 'weights' or 'difference', not {kind!r}")
        message: dict[str, Any] = {"type": "answer", "task": model.id, "kind": "metrics", "metrics": _numbers(metrics)}
        if samples is not None:
            message["samples"] = _count(samples, "samples")
        if steps is not None:
            message["steps"] = _count(steps, "steps")
        if parameters is not None:
            arrays = _fitting(parameters, model.parameters if model.task != INITIALIZE else {})
            message["kind"] = "weights" if kind == "weights" else "weight difference"
            message["file"] = self._write(arrays, model.id)
        elif model.task != EVALUATE and not message["metrics"]:
            raise ValueError("an answer has parameters, metrics or both")
        self._answer(message)

    def send_metrics(self, metrics: Mapping[str, float], samples: int | None = None) -> None:
        """Answers a task ``evaluate``: what the model that was received is worth on the site's data."""
        self.send(None, metrics=metrics, samples=samples)

    def refuse(self, why: str = "unknown task", reason: str | None = None) -> None:
        """Says that there is no answer to the task that was received last.

        ``why`` is one of ``unknown task``, ``bad task``, ``nothing to share`` and ``failed``. The ``reason`` leaves the site: it
        must not hold data.
        """
        model = self._answered("refuse")
        if why not in REFUSALS:
            raise ValueError(f"why is one of {', '.join(REFUSALS)}, not {why!r}")
        message: dict[str, Any] = {"type": "refuse", "task": model.id, "why": why}
        if reason is not None:
            message["reason"] = reason
        self._answer(message)

    # Signs of life

    def progress(self) -> None:
        """Says that the work goes on.

        The site waits as long as there is progress. A program that computes for long says so now and then, in each batch for
        example: it costs nothing worth counting.
        """
        now = time.monotonic()
        self._connection.check()
        if now - self._last_progress < _PROGRESS_INTERVAL:
            return
        self._last_progress = now
        self._connection.send({"type": "progress"})

    def log(self, name: str, value: float, step: int | None = None) -> None:
        """Notes a measurement in the site's own log, which does not leave the site. It is a sign of life, too."""
        message: dict[str, Any] = {"type": "log", "name": str(name), "value": _number(value)}
        if step is not None:
            message["step"] = _count(step, "step")
        self._connection.send(message)

    # The whole loop

    def serve(
        self,
        train: Callable[[Model], Any] | None = None,
        evaluate: Callable[[Model], Any] | None = None,
        initialize: Callable[[Model], Any] | None = None,
        submit: Callable[[Model], Any] | None = None,
    ) -> None:
        """Answers tasks by functions until the job is over.

        ``train``, ``initialize`` and ``submit`` (the site's own best model) answer with parameters, or with an :class:`Update`;
        ``evaluate`` with metrics, or with metrics and the number of examples they rest on. A task without a function is refused.
        """
        functions = {TRAIN: train, EVALUATE: evaluate, INITIALIZE: initialize, SUBMIT_MODEL: submit}
        while self.is_running():
            model = self.receive()
            function = functions.get(model.task)
            answer = None if function is None else function(model)
            if function is None:
                self.refuse("unknown task")
            elif answer is None:
                self.refuse("nothing to share")
            elif model.task == EVALUATE:
                metrics, samples = answer if isinstance(answer, tuple) else (answer, None)
                self.send_metrics(metrics, samples)
            elif isinstance(answer, Update):
                self.send(answer.parameters, answer.metrics, answer.samples, answer.steps)
            else:
                self.send(answer)

    # Inside

    def _answered(self, what: str) -> Model:
        self._connection.check()
        if self._model is None:
            raise ProtocolError(f"there is nothing to {what}: no task was received that has no answer yet")
        return self._model

    def _answer(self, message: dict[str, Any]) -> None:
        self._connection.send(message)
        self._model = None

    def _path(self, name: Any) -> str:
        if not isinstance(name, str) or os.path.basename(name) != name or name.startswith("."):
            raise ProtocolError(f"the site named the file {name!r}")
        return os.path.join(self.folder, name)

    def _write(self, arrays: Mapping[str, np.ndarray], task: int) -> str:
        self._file_count += 1
        name = f"answer-{task}-{os.getpid()}-{self._file_count}.safetensors"
        safetensors.write(os.path.join(self.folder, name), arrays)
        return name


def init(*, orphan_grace: float = ORPHAN_GRACE) -> Site:
    """The site that has started this program.

    Without one, the program can be tried alone: with ``TESSERA_ALONE=3`` in its environment it gets three rounds of its own
    answers. Without that, :class:`NotFederatedError` is raised, which says so.

    A program whose site is gone ends itself after ``orphan_grace`` seconds.
    """
    path = os.environ.get("TESSERA_SOCKET")
    if path:
        return Site(Channel(path, orphan_grace))
    alone = os.environ.get("TESSERA_ALONE")
    if alone:
        from .alone import Alone

        try:
            rounds = int(alone)
            if rounds < 1:
                raise ValueError
        except ValueError:
            raise NotFederatedError(f"TESSERA_ALONE is the number of rounds, not {alone!r}") from None
        return Site(Alone(rounds, data=os.environ.get("TESSERA_DATA")))
    raise NotFederatedError(
        "this program is a trainer: a site of a federation starts it (executor: {type: external, command: [python3, ...]}). "
        "To try it alone, set TESSERA_ALONE to a number of rounds, and TESSERA_DATA to a site's data."
    )


def _numbers(metrics: Mapping[str, float] | None) -> dict[str, Any]:
    return {str(name): _number(value) for name, value in (metrics or {}).items()}


def _number(value: Any) -> Any:
    """A number as JSON can hold it."""
    number = float(value)
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return number


def _count(value: Any, name: str) -> int:
    count = int(value)
    if count != value or count < 0:
        raise ValueError(f"{name} is a whole number of at least 0, not {value!r}")
    return count


def _fitting(parameters: Mapping[str, Any], expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays as the model has them, or an error that names what differs."""
    arrays = {name: value if isinstance(value, np.ndarray) else np.asarray(value) for name, value in parameters.items()}
    if not arrays:
        raise ValueError("there are no parameters to send")
    if not expected:
        return arrays
    missing = [name for name in expected if name not in arrays]
    unknown = [name for name in arrays if name not in expected]
    if missing or unknown:
        what = [f"lack {missing[:3]}"] if missing else []
        what += [f"have {unknown[:3]}, which the model has not"] if unknown else []
        raise ValueError(f"the parameters {' and '.join(what)}")
    return {name: _converted(name, arrays[name], model) for name, model in expected.items()}


def _converted(name: str, array: np.ndarray, model: np.ndarray) -> np.ndarray:
    if array.shape != model.shape:
        raise ValueError(f"parameter '{name}' has the shape {array.shape}, and the model's has {model.shape}")
    code, wanted = safetensors.code_of(array), safetensors.code_of(model)
    if code == wanted:
        return array
    floating = ("F16", "F32", "F64", "BF16")
    if code not in floating or wanted not in floating:
        raise ValueError(f"parameter '{name}' is of the type {code}, and the model's is of {wanted}")
    numbers = array.float32() if isinstance(array, BFloat16Array) else array
    return BFloat16Array.of(numbers) if wanted == "BF16" else numbers.astype(model.dtype)


__all__ = ["Model", "Site", "Update", "init", "TesseraAborted", "TesseraError"]
