"""Makes the images of this folder and what is to be read from them: pip install pillow numpy, then python make.py."""

import struct
import zlib
from pathlib import Path

import numpy
from PIL import Image

folder = Path(__file__).parent
height, width = 13, 17
y, x = numpy.mgrid[0:height, 0:width]
grey = ((x * 13 + y * 7) % 256).astype(numpy.uint8)
rgb = numpy.stack([x * 15, y * 19, 255 - x * 7 - y * 3], axis=-1).astype(numpy.uint8)
alpha = numpy.where((x + y) % 2 == 0, 255, 0).astype(numpy.uint8)
deep = (x * 3855 + y * 91).astype(numpy.uint16)

# --- what Pillow does not write: PNG by hand ----------------------------------------------------------------------


def chunk(name, contents):
    return struct.pack(">I", len(contents)) + name + contents + struct.pack(">I", zlib.crc32(name + contents))


def rows(pixels):
    """Without filters; numbers of 16 bits are big-endian."""
    return b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels)


def png(pixels, *extra, interlaced=False):
    depth, color = pixels.dtype.itemsize * 8, 2 if pixels.ndim == 3 else 0
    # Adam7: first row, first column, and the steps of each pass.
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b"".join(rows(pixels[a::c, b::d]) for a, b, c, d in passes) if interlaced else rows(pixels)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data, 9)), (b"IEND", b"")]
    )


linear = (b"gAMA", struct.pack(">I", 100_000))
# Light that no eye has seen.
chromaticities = (b"cHRM", struct.pack(">8I", 1, 1, 2, 2, 3, 3, 4, 4))
by_hand = {
    "deep.png": png(deep),
    "deeprgb.png": png(numpy.stack([deep, deep[::-1], deep[:, ::-1]], axis=-1)),
    "gamma.png": png(grey, linear),
    "interlaced.png": png(rgb, interlaced=True),
    "chunks.png": png(rgb, (b"iCCP", b"profile\0\0x"), chromaticities, linear, linear),
}
for name, contents in by_hand.items():
    (folder / name).write_bytes(contents)

# --- what Pillow writes -------------------------------------------------------------------------------------------

images = {
    "grey.png": Image.fromarray(grey),
    "rgb.png": Image.fromarray(rgb),
    "palette.png": Image.fromarray(rgb).quantize(16),
    "alpha.png": Image.fromarray(numpy.dstack([rgb, alpha])),
    "mixed.png": Image.fromarray(numpy.dstack([rgb, grey])),
    "greymixed.png": Image.fromarray(numpy.dstack([rgb[:, :, 0], grey])),
    "bits.png": Image.fromarray(grey > 127),
    "grey.jpg": Image.fromarray(grey),
    "rgb.jpg": Image.fromarray(rgb),
    "progressive.jpg": Image.fromarray(rgb),
    "cmyk.jpg": Image.fromarray(rgb).convert("CMYK"),
}
for name, image in images.items():
    options = {"quality": 95, "subsampling": 0} if name.endswith(".jpg") else {}
    image.save(folder / name, progressive=name.startswith("progressive"), **options)

# --- what is to be read -------------------------------------------------------------------------------------------

expected = {}
for name in [*images, *by_hand]:
    if name == "cmyk.jpg":
        continue
    read = Image.open(folder / name)
    if name == "alpha.png":
        # What is transparent is black to us.
        read = Image.composite(read.convert("RGB"), Image.new("RGB", read.size), read.getchannel("A"))
    if name.endswith("mixed.png"):
        colors = (rgb if name == "mixed.png" else rgb[:, :, :1]) * (grey / 255)[:, :, None]
        read = Image.fromarray(numpy.round(colors).astype(numpy.uint8).squeeze())
    if name.startswith("deep"):
        # Pillow keeps 16 bits of grey and cuts those of colours off; ours are the nearest 8.
        wide = deep if name == "deep.png" else numpy.stack([deep, deep[::-1], deep[:, ::-1]], axis=-1)
        read = Image.fromarray(numpy.round(wide / 257).astype(numpy.uint8))
    grey_like = read.mode in ("L", "1")
    pixels = numpy.asarray(read.convert("L" if grey_like else "RGB"))
    expected[name] = pixels[None] if grey_like else pixels.transpose(2, 0, 1)
    expected[f"{name}.grey"] = numpy.asarray(Image.fromarray(pixels).convert("L"))[None]
numpy.savez_compressed(folder / "expected.npz", **expected)
