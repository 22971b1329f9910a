"""A federation of one: a trainer is given its own answers, to try it without a site."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from typing import Any

from . import safetensors
from .errors import TesseraError


class Alone:
    """Plays the site of a job with one site: first weights, then rounds, each followed by an evaluation.

    It speaks the protocol as a site does, and checks the answers as a site does.
    """

    def __init__(self, rounds: int, data: str | None = None):
        self._rounds = rounds
        self._data = os.path.abspath(data) if data else None
        self._folder = tempfile.mkdtemp(prefix="tessera-alone-")
        self._finalizer = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._round = 1
        self._name: str | None = None
        self._count = 0
        self._model: dict[str, Any] | None = None
        self._waiting: list[dict[str, Any]] = []

    def check(self) -> None:
        """Nobody aborts it."""

    def close(self) -> None:
        """Removes what lies on the disk."""
        self._finalizer()

    def receive(self) -> dict[str, Any]:
        """What a site would send next."""
        if self._waiting:
            return self._waiting.pop(0)
        if self._name == "end":
            return {"type": "end"}
        if self._name is None:
            return self._task("initialize")
        return self._task(self._name)

    def _task(self, name: str) -> dict[str, Any]:
        self._name = name
        self._count += 1
        file = None
        if self._model is not None:
            file = f"task-{self._count}.safetensors"
            safetensors.write(os.path.join(self._folder, file), self._model)
        return {
            "type": "task",
            "task": self._count,
            "name": name,
            "round": self._round,
            "rounds": self._rounds,
            "attempt": 1,
            "seed": self._round,
            "file": file,
        }

    def send(self, message: dict[str, Any]) -> None:
        """Takes what the trainer sends."""
        kind = message["type"]
        if kind == "hello":
            self._waiting.append(
                {
                    "type": "welcome",
                    "protocol": 1,
                    "job": "alone",
                    "site": "alone",
                    "site_index": 0,
                    "data": self._data,
                    "folder": self._folder,
                }
            )
        elif kind == "log":
            print(f"  {message['name']}: {message['value']}", file=sys.stderr)
        elif kind == "answer":
            self._take(message)
        elif kind == "refuse":
            if self._name in ("initialize", "train"):
                raise TesseraError(f"the program refused the task '{self._name}': {message['why']}")
            self._advance()

    def _take(self, message: dict[str, Any]) -> None:
        if "file" in message:
            path = os.path.join(self._folder, message["file"])
            answer, _ = safetensors.read(path)
            os.unlink(path)
            if message["kind"] == "weight difference" and self._model is not None:
                answer = {name: self._model[name] + value for name, value in answer.items()}
            self._model = answer
        elif self._name != "evaluate":
            raise TesseraError(f"the answer to the task '{self._name}' has no parameters")
        metrics = ", ".join(f"{name} {float(value):.4g}" for name, value in message["metrics"].items())
        if self._name != "initialize":
            print(f"round {self._round}/{self._rounds}, {self._name}: {metrics}", file=sys.stderr)
        self._advance()

    def _advance(self) -> None:
        if self._name == "initialize":
            self._name = "train"
        elif self._name == "train":
            self._name = "evaluate"
        else:
            self._round += 1
            self._name = "train" if self._round <= self._rounds else "end"
