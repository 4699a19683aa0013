"""Pictures of pages for the docs: small PNGs with a palette."""

import io
import sys
from pathlib import Path

from PIL import Image

COLOURS = 128
"""Of a picture's palette: enough for a page without photographs, at a third of the size."""


def picture(png: bytes) -> Image.Image:
    """A screenshot as an image."""
    return Image.open(io.BytesIO(png)).convert("RGB")


def save_picture(image: Image.Image, path: Path) -> None:
    """Write it with a palette and say how large it became."""
    image.quantize(COLOURS).save(path, optimize=True)
    sys.stdout.write(f"{path}: {path.stat().st_size // 1000} kB\n")
