"""Decoding image files into one array: upright, cropped to the central square, resized."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semveil.errors import SemveilError

# An explicit list: Pillow also has formats that start other programs.
FORMATS = ("BMP", "JPEG", "PNG", "PPM", "WEBP")
GREY = {"1", "L", "LA"}
EIGHT_BIT = GREY | {"CMYK", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"}


def decode(files: Sequence[Path], image_size: int) -> tuple[NDArray[np.uint8], bool]:
    """Decode image files, several at once, and tell whether all of them are grey.

    Each image is turned upright by its EXIF data, cropped to its central square and resized
    (bicubic, antialiased): uint8 ``[N, 3, image_size, image_size]``.
    """
    if image_size < 1:
        raise SemveilError(f"image size {image_size} is not positive")
    x = np.empty((len(files), 3, image_size, image_size), np.uint8)
    grey = True
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(lambda file: _decode(file, image_size), files)
        for row, (pixels, is_grey) in zip(x, decoded, strict=True):
            row[...] = pixels
            grey &= is_grey
    return x, grey


def _decode(file: Path, image_size: int) -> tuple[NDArray[np.uint8], bool]:
    """Return an image as uint8 ``[3, S, S]`` and whether it is grey."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file, formats=FORMATS) as opened:
            mode = opened.mode
            if mode not in EIGHT_BIT:
                raise SemveilError(f"{file}: pixel format {mode} does not have 8 bits per channel")
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    # Which exception a damaged file raises depends on its format.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SemveilError(f"{file} is not a readable image: {reason}") from error
    square = ImageOps.fit(upright, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(square).transpose(2, 0, 1), mode in GREY
