"""Makes the images of this folder and what Pillow reads from them: pip install pillow numpy, then python make.py."""

from pathlib import Path

import numpy
from PIL import Image

folder = Path(__file__).parent
height, width = 13, 17
y, x = numpy.mgrid[0:height, 0:width]
grey = ((x * 13 + y * 7) % 256).astype(numpy.uint8)
rgb = numpy.stack([x * 15, y * 19, 255 - x * 7 - y * 3], axis=-1).astype(numpy.uint8)
alpha = numpy.where((x + y) % 2 == 0, 255, 0).astype(numpy.uint8)

images = {
    "grey.png": Image.fromarray(grey),
    "rgb.png": Image.fromarray(rgb),
    "palette.png": Image.fromarray(rgb).quantize(16),
    "alpha.png": Image.fromarray(numpy.dstack([rgb, alpha])),
    "bits.png": Image.fromarray(grey > 127),
    "grey.jpg": Image.fromarray(grey),
    "rgb.jpg": Image.fromarray(rgb),
    "progressive.jpg": Image.fromarray(rgb),
}
expected = {}
for name, image in images.items():
    options = {"quality": 95, "subsampling": 0} if name.endswith(".jpg") else {}
    image.save(folder / name, progressive=name.startswith("progressive"), **options)
    read = Image.open(folder / name)
    if name == "alpha.png":
        # What is transparent is black to us.
        read = Image.composite(read.convert("RGB"), Image.new("RGB", read.size), read.getchannel("A"))
    grey_like = read.mode in ("L", "1")
    pixels = numpy.asarray(read.convert("L" if grey_like else "RGB"))
    expected[name] = pixels[None] if grey_like else pixels.transpose(2, 0, 1)
numpy.savez_compressed(folder / "expected.npz", **expected)
