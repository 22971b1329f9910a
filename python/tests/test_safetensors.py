"""The reader and the writer of safetensors files, against the format's own implementation, and against damaged files."""

import json
import os
import random
import struct
import tempfile
import unittest

import numpy as np

from tessera_client import BFloat16Array, SafetensorsError, safetensors

try:
    import safetensors.numpy as reference
except ImportError:
    reference = None


class SafetensorsTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name="x.safetensors"):
        return os.path.join(self.folder.name, name)

    def raw(self, header, data=b"", name="raw.safetensors"):
        """A file of a header as it is given."""
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + data)
        return path

    def refuses(self, path, message):
        with self.assertRaisesRegex(SafetensorsError, message):
            safetensors.read(path)

    ARRAYS = {
        "z": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": np.array([1.5, -2], np.float16),
        "double": np.array(3.25),
        "empty": np.zeros((0, 4), np.int16),
        "truth": np.array([True, False, True]),
        "long": np.array([[-(2**62)]]),
        "complex": np.array([1 + 2j], np.complex64),
        "bytes": np.array([255], np.uint8),
    }

    def test_arrays_come_back_in_their_order(self):
        size = safetensors.write(self.path(), self.ARRAYS, {"note": "ü"})
        self.assertEqual(size, os.path.getsize(self.path()))
        arrays, metadata = safetensors.read(self.path())
        self.assertEqual(list(arrays), list(self.ARRAYS))
        self.assertEqual(metadata["note"], "ü")
        for name, array in self.ARRAYS.items():
            self.assertEqual(arrays[name].dtype, array.dtype)
            self.assertEqual(arrays[name].shape, array.shape)
            np.testing.assert_array_equal(arrays[name], array)
            self.assertTrue(arrays[name].flags.aligned)

    @unittest.skipIf(reference is None, "safetensors is not installed")
    def test_the_formats_own_implementation_agrees(self):
        safetensors.write(self.path(), self.ARRAYS)
        loaded = reference.load_file(self.path())
        self.assertEqual(set(loaded), set(self.ARRAYS))
        for name, array in self.ARRAYS.items():
            np.testing.assert_array_equal(loaded[name], array)
        reference.save_file({"a": self.ARRAYS["z"], "b": self.ARRAYS["truth"]}, self.path("theirs"))
        arrays, _ = safetensors.read(self.path("theirs"))
        np.testing.assert_array_equal(arrays["a"], self.ARRAYS["z"])
        np.testing.assert_array_equal(arrays["b"], self.ARRAYS["truth"])

    def test_what_is_read_can_be_changed_and_the_file_stays(self):
        safetensors.write(self.path(), {"a": np.zeros(4, np.float32)})
        arrays, _ = safetensors.read(self.path())
        arrays["a"] += 1
        again, _ = safetensors.read(self.path())
        np.testing.assert_array_equal(again["a"], np.zeros(4))

    def test_views_and_other_orders_of_bytes_are_written_as_they_look(self):
        base = np.arange(12, dtype=">f4").reshape(3, 4)
        safetensors.write(self.path(), {"a": base.T[::2], "list": [1.0, 2.0]})
        arrays, _ = safetensors.read(self.path())
        np.testing.assert_array_equal(arrays["a"], base.T[::2])
        np.testing.assert_array_equal(arrays["list"], [1, 2])

    def test_bfloat16_is_rounded_to_even_and_not_computed_with(self):
        numbers = np.array([1, 1 + 2**-8, 1 + 3 * 2**-8, -2.5, np.inf, np.nan, 3.4028e38], np.float32)
        array = BFloat16Array.of(numbers)
        back = array.float32()
        np.testing.assert_array_equal(back[:5], [1, 1, 1 + 2**-6, -2.5, np.inf])
        self.assertTrue(np.isnan(back[5]))
        self.assertTrue(np.isinf(back[6]))
        safetensors.write(self.path(), {"b": array, "scalar": BFloat16Array.of(2.0)})
        arrays, _ = safetensors.read(self.path())
        self.assertIsInstance(arrays["b"], BFloat16Array)
        np.testing.assert_array_equal(arrays["b"].float32(), back)
        self.assertEqual(arrays["scalar"].shape, ())
        with self.assertRaisesRegex(TypeError, "float32"):
            arrays["b"] + 1

    def test_what_cannot_be_written_is_named(self):
        for value in (np.array(["text"]), np.array([1j]), np.array([object()])):
            with self.assertRaisesRegex(SafetensorsError, "'a'"):
                safetensors.write(self.path("never"), {"a": value})
        with self.assertRaises(SafetensorsError):
            safetensors.write(self.path("never"), {"__metadata__": np.zeros(1)})
        self.assertFalse(os.path.exists(self.path("never")))

    def test_headers_that_are_wrong_are_refused(self):
        def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
            return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}

        four = b"\0" * 4
        self.refuses(self.raw({"a": entry("F8_E4M3", (4,))}, four), "unknown dtype 'F8_E4M3'")
        self.refuses(self.raw({"a": entry(["F32"])}, four), "unknown dtype")
        self.refuses(self.raw({"a": entry(shape=(2,))}, four), "not the size")
        self.refuses(self.raw({"a": entry(shape=(-1,))}, four), "shape")
        self.refuses(self.raw({"a": entry(shape=(True,))}, four), "shape")
        self.refuses(self.raw({"a": entry(shape=(1.0,))}, four), "shape")
        self.refuses(self.raw({"a": entry(shape=(1,) * 33)}, four), "shape")
        self.refuses(self.raw({"a": entry(shape=(2**62, 2**62))}, four), "not the size")
        self.refuses(self.raw({"a": entry(offsets=(4, 0))}, four), "lies at")
        self.refuses(self.raw({"a": entry(offsets=(0, 4, 8))}, four), "lies at")
        self.refuses(self.raw({"a": entry(offsets=(4, 8))}, four), "truncated")
        self.refuses(self.raw({"a": entry(offsets=(4, 8))}, four * 2), "without a gap")
        self.refuses(self.raw({"a": entry(), "b": entry()}, four), "overlaps")
        self.refuses(self.raw({"a": entry(shape=(2,), offsets=(0, 8)), "b": entry(offsets=(4, 8))}, four * 2), "overlaps")
        self.refuses(self.raw({"a": entry()}, four * 2), "belong to no tensor")
        self.refuses(self.raw({"a": {"dtype": "F32", "shape": [1]}}, four), "described by")
        self.refuses(self.raw({"a": 1}), "described by")
        self.refuses(self.raw({"__metadata__": {"a": 1}}), "metadata")
        self.refuses(self.raw([1]), "not a JSON object")
        self.refuses(self.raw(b"{"), "not JSON")
        self.refuses(self.raw(b"\xff{}"), "not JSON")
        self.refuses(self.raw(b'{"a":1,"a":2}'), "there twice")
        self.refuses(self.raw(b"[" * 100_000), "not JSON")

    def test_files_that_are_cut_short_are_refused(self):
        safetensors.write(self.path(), self.ARRAYS)
        with open(self.path(), "rb") as file:
            whole = file.read()
        for length in (0, 1, 7, 8, 20, len(whole) // 2, len(whole) - 1):
            with open(self.path("short"), "wb") as file:
                file.write(whole[:length])
            self.refuses(self.path("short"), "safetensors file")
        with open(self.path("short"), "wb") as file:
            file.write(struct.pack("<Q", 2**63) + whole[8:])
        self.refuses(self.path("short"), "does not fit")

    def test_mutated_files_are_read_or_refused(self):
        safetensors.write(self.path(), self.ARRAYS)
        with open(self.path(), "rb") as file:
            whole = file.read()
        numbers = random.Random(3)
        refused = 0
        for _ in range(2000):
            data = bytearray(whole)
            for _ in range(numbers.randint(1, 3)):
                data[numbers.randrange(min(len(data), 700))] = numbers.choice((numbers.randrange(256), 0x39, 0x2C, 0x22))
            with open(self.path("mutated"), "wb") as file:
                file.write(data)
            try:
                safetensors.read(self.path("mutated"))
            except SafetensorsError:
                refused += 1
        self.assertGreater(refused, 1000)


if __name__ == "__main__":
    unittest.main()
