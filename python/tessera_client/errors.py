"""What can go wrong between a trainer and its site."""


class TesseraError(Exception):
    """Anything that goes wrong between a trainer and its site."""


class NotFederatedError(TesseraError):
    """The program was started by nobody who federates it."""


class TesseraAborted(TesseraError):
    """The site has aborted the work, or is gone: nobody waits for an answer, and the program ends.

    Work that is worth keeping can be saved when this is caught; the site kills the program within a second.
    """


class TesseraEnded(TesseraError):
    """The job is over, and there is nothing more to receive."""


class ProtocolError(TesseraError):
    """The other side sent what the protocol does not allow, or the program asked for it out of order."""


class SafetensorsError(TesseraError, ValueError):
    """A file is no safetensors file, or tensors cannot be put into one."""
