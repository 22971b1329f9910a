"""Trainers in Python for Tessera's federations.

    import tessera_client

    site = tessera_client.init()
    while site.is_running():
        model = site.receive()
        parameters, loss, count = train(model.parameters, site.data)
        site.send(parameters, metrics={"loss": loss}, samples=count)

``tessera_client.torch`` and ``tessera_client.keras`` do the same for models of these frameworks, in three lines.
"""

from ._version import __version__
from .errors import (
    NotFederatedError,
    ProtocolError,
    SafetensorsError,
    TesseraAborted,
    TesseraEnded,
    TesseraError,
)
from .safetensors import BFloat16Array
from .site import Model, Site, Update, init

__all__ = [
    "BFloat16Array",
    "Model",
    "NotFederatedError",
    "ProtocolError",
    "SafetensorsError",
    "Site",
    "TesseraAborted",
    "TesseraEnded",
    "TesseraError",
    "Update",
    "__version__",
    "init",
]
