"""A trainer's end of its socket: lines of JSON out, and in."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import threading
from typing import Any

from .errors import ProtocolError, TesseraAborted

#: The longest line of either side in bytes, the newline among them.
LONGEST_LINE = 1 << 20

#: How long a program may go on when its site is gone, in seconds; then it ends itself as its site would have ended it.
ORPHAN_GRACE = 5.0


def encoded(message: dict[str, Any]) -> bytes:
    """A message as a line."""
    line = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise ProtocolError(f"a message of {len(line)} bytes is longer than the {LONGEST_LINE} that a line may have")
    return line


class Channel:
    """Messages to a site and from it.

    A thread reads, so that an abort is noticed while the program computes. What it means is raised by the next call of the
    program's own thread.
    """

    def __init__(self, path: str, orphan_grace: float = ORPHAN_GRACE):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise TesseraAborted(f"the site at {path} cannot be reached: {error}") from None
        self._lock = threading.Lock()
        self._messages: "queue.Queue[dict[str, Any] | None]" = queue.Queue()
        self._over: Exception | None = None
        self._is_closed = False
        self._orphan_grace = orphan_grace
        threading.Thread(target=self._read, name="tessera-client", daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message, unless the site has aborted."""
        self.check()
        line = encoded(message)
        try:
            with self._lock:
                self._socket.sendall(line)
        except OSError as error:
            raise self._over or TesseraAborted(f"the site is gone: {error}") from None

    def receive(self) -> dict[str, Any]:
        """The next message; waits for it."""
        self.check()
        message = self._messages.get()
        if message is None:
            # Whoever asks once more is told once more.
            self._messages.put(None)
            self.check()
            raise TesseraAborted("the site is gone")
        return message

    def check(self) -> None:
        """Raises what has ended the work, if anything has."""
        if self._over is not None:
            raise self._over

    def close(self) -> None:
        """Closes the socket: the site takes it as the program's end."""
        self._is_closed = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _read(self) -> None:
        buffer = b""
        ended = False
        while True:
            try:
                chunk = self._socket.recv(1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                break
            buffer += chunk
            *lines, buffer = buffer.split(b"\n")
            if len(buffer) > LONGEST_LINE or any(len(line) >= LONGEST_LINE for line in lines):
                self._end(ProtocolError("the site sent a line that is too long"))
                return
            for line in lines:
                try:
                    message = json.loads(line)
                    kind = message["type"]
                except (ValueError, KeyError, TypeError, RecursionError):
                    self._end(ProtocolError("the site sent what is no message"))
                    return
                if kind == "abort":
                    self._end(TesseraAborted(str(message.get("reason", "the site has aborted the work"))))
                    return
                if kind == "error":
                    self._end(ProtocolError(f"the site refused what was sent: {message.get('message')}"))
                    return
                ended = ended or kind == "end"
                self._messages.put(message)
        if self._is_closed or ended:
            self._messages.put(None)
            return
        self._end(TesseraAborted("the site is gone"))

    def _end(self, error: Exception) -> None:
        self._over = error
        self._messages.put(None)
        try:
            # Nothing more is read: whoever sends should know.
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        # A program that computes on for nobody holds memory and GPUs.
        timer = threading.Timer(self._orphan_grace, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()
