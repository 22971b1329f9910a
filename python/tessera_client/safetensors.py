"""Named arrays in ``.safetensors`` files, mapped into memory.

A reader and a writer of the format of https://huggingface.co/docs/safetensors in NumPy alone. Whatever of a file is not as it
should be is an error that names the file and the tensor.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any, Mapping

import numpy as np

from .errors import SafetensorsError

#: The limit that the format's own implementation sets.
LARGEST_HEADER = 100_000_000

#: Where a file's metadata holds the names in the model's order: the tensors themselves lie by the size of their elements.
ORDER_KEY = "tessera.order"

_DTYPES = {
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
    "BOOL": np.dtype("?"),
    # NumPy has no such type: see BFloat16Array.
    "BF16": np.dtype("<u2"),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items() if code != "BF16"}
_LARGEST_RANK = 32


class BFloat16Array(np.ndarray):
    """A tensor of ``bfloat16``, which NumPy does not have, as the bits of its elements in ``uint16``.

    Arithmetic with bits would be nonsense, so it is refused: compute with :meth:`float32`, and make one again of the result
    with :meth:`of`.
    """

    @classmethod
    def of(cls, values: Any) -> "BFloat16Array":
        """The nearest ``bfloat16`` of each number, ties to even."""
        numbers = np.ascontiguousarray(values, dtype=np.float32)
        bits = numbers.view(np.uint32)
        # Adding just below a half of what is cut off, and one more if the digit kept is odd.
        rounded = (bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16
        # The addition must not carry a NaN into infinity.
        quiet = (bits >> 16) | np.uint32(0x40)
        result = np.where(np.isnan(numbers), quiet, rounded).astype("<u2")
        return result.reshape(np.shape(values)).view(cls)

    def float32(self) -> np.ndarray:
        """The numbers as ``float32``, which has all of them."""
        bits = np.asarray(self).view(np.ndarray).astype(np.uint32) << 16
        return bits.view(np.float32).reshape(self.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "a BFloat16Array holds the bits of bfloat16 numbers: compute with its float32(), and make one again with "
            "BFloat16Array.of(...)"
        )


def code_of(array: np.ndarray) -> str:
    """What the format calls the type of an array's elements."""
    if isinstance(array, BFloat16Array):
        return "BF16"
    code = _CODES.get(array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype)
    if code is None:
        raise SafetensorsError(f"safetensors files of Tessera cannot hold elements of the type {array.dtype}")
    return code


def _without_repetition(pairs: list) -> dict:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is there twice")
    return result


def read_header(data: bytes, size: int, path: str) -> tuple[list[tuple[str, str, tuple, int, int]], dict[str, str], int]:
    """Checks the header of a file.

    Returns the tensors as (name, code, shape, first byte, byte after the last), in the order of their bytes; the free text; and
    where the bytes begin.
    """

    def malformed(what: str) -> SafetensorsError:
        return SafetensorsError(f"{path} is not a safetensors file: {what}")

    try:
        header = json.loads(data.decode("utf-8"), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise malformed(f"its header is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise malformed("its header is not a JSON object")
    start = 8 + len(data)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise malformed("its metadata are not texts under names")
    tensors = []
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise malformed(f"tensor '{name}' is not described by dtype, shape and data_offsets")
        code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(code, str) or code not in _DTYPES:
            raise malformed(f"tensor '{name}' has the unknown dtype {code!r}")
        if not _are_sizes(shape) or len(shape) > _LARGEST_RANK:
            raise malformed(f"tensor '{name}' has the shape {shape!r}")
        if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise malformed(f"tensor '{name}' lies at {offsets!r}")
        if offsets[1] > size - start:
            raise malformed(f"tensor '{name}' lies at {offsets}, outside the file: truncated?")
        expected = _DTYPES[code].itemsize
        for extent in shape:
            expected *= extent
        if expected != offsets[1] - offsets[0]:
            raise malformed(f"tensor '{name}' has {offsets[1] - offsets[0]} bytes, which is not the size of {shape} {code}")
        tensors.append((name, code, tuple(shape), offsets[0], offsets[1]))
    tensors.sort(key=lambda tensor: (tensor[3], tensor[4], tensor[0]))
    end = 0
    for name, _, _, first, last in tensors:
        if first < end:
            raise malformed(f"tensor '{name}' overlaps the one before it")
        if first > end:
            raise malformed(f"tensor '{name}' does not follow the one before it without a gap")
        end = last
    if end != size - start:
        raise malformed(f"{size - start - end} bytes at its end belong to no tensor")
    return tensors, metadata, start


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a file by name, in the model's order, and its free text.

    The arrays lie in the file's memory: pages are read when they are used. They can be written to, and the file stays as it is.
    """
    text = os.fspath(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(8)
        if len(first) < 8:
            raise SafetensorsError(
                f"{text} is not a safetensors file: it has {size} bytes, and the length of its header alone needs 8"
            )
        (length,) = struct.unpack("<Q", first)
        if length > min(LARGEST_HEADER, size - 8):
            raise SafetensorsError(
                f"{text} is not a safetensors file: a header of {length} bytes does not fit a file of {size}"
            )
        header = file.read(length)
        if len(header) != length:
            raise SafetensorsError(f"{text} is not a safetensors file: its header is truncated")
        tensors, metadata, start = read_header(header, size, text)
        memory = np.memmap(file, dtype=np.uint8, mode="c", offset=0, shape=(size,))
    arrays: dict[str, np.ndarray] = {}
    for name, code, shape, begin, end in tensors:
        bytes_ = memory[start + begin : start + end].view(np.ndarray)
        if code == "BOOL":
            # Any byte but 0 is true; NumPy expects 1.
            array = bytes_.view(np.uint8) != 0
        else:
            array = bytes_.view(_DTYPES[code])
        array = array.reshape(shape)
        arrays[name] = array.view(BFloat16Array) if code == "BF16" else array
    return _in_order(arrays, metadata), metadata


def _in_order(arrays: dict[str, np.ndarray], metadata: Mapping[str, str]) -> dict[str, np.ndarray]:
    try:
        order = json.loads(metadata.get(ORDER_KEY, "null"))
    except ValueError:
        return arrays
    if not isinstance(order, list) or len(order) != len(arrays) or not all(isinstance(name, str) for name in order):
        return arrays
    if set(order) != set(arrays):
        return arrays
    return {name: arrays[name] for name in order}


def write(path: str | os.PathLike, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> int:
    """Writes arrays to a new file, and returns its size in bytes.

    The order on disk is by the size of the elements, so that each tensor is aligned.
    """
    arrays: list[tuple[str, str, np.ndarray]] = []
    for name, value in tensors.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise SafetensorsError(f"no tensor can be called {name!r}")
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
        try:
            code = code_of(array)
        except SafetensorsError as error:
            raise SafetensorsError(f"tensor '{name}': {error}") from None
        arrays.append((name, code, array))
    texts = dict(metadata or {})
    texts[ORDER_KEY] = json.dumps([name for name, _, _ in arrays])
    header: dict[str, Any] = {"__metadata__": texts}
    offset = 0
    ordered = sorted(arrays, key=lambda tensor: -_DTYPES[tensor[1]].itemsize)
    for name, code, array in ordered:
        count = array.size * _DTYPES[code].itemsize
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [offset, offset + count]}
        offset += count
    encoded = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="strict")
    encoded += b" " * (-len(encoded) % 8)
    with open(path, "xb") as file:
        file.write(struct.pack("<Q", len(encoded)))
        file.write(encoded)
        for _, code, array in ordered:
            plain = array.view(np.ndarray) if isinstance(array, BFloat16Array) else array
            bytes_ = np.ascontiguousarray(plain, dtype=_DTYPES[code]).reshape(-1)
            if bytes_.size:
                file.write(memoryview(bytes_.view(np.uint8)))
    return 8 + len(encoded) + offset
