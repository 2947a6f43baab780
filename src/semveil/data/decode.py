"""Decoding image files into one array: upright, cropped to the central square, resized."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semveil.errors import SemveilError
from semveil.memory import free_bytes, require_memory

# An explicit list: Pillow also has formats that start other programs.
FORMATS = ("BMP", "JPEG", "PNG", "PPM", "WEBP")
EIGHT_BIT = {"1", "L", "LA", "CMYK", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"}
MOST_PIXELS = 1 << 26  # an image of this size takes 200 MB while it is decoded


def decode(files: Sequence[Path], image_size: int) -> tuple[NDArray[np.uint8], bool]:
    """Decode image files, several at once, and tell whether all of them are grey.

    Each image is turned upright by its EXIF data, cropped to its central square and resized
    (bicubic, antialiased): uint8 ``[N, 3, image_size, image_size]``. Grey are those whose three
    channels are equal, however they are stored.
    """
    from PIL import Image

    if image_size < 1:
        raise SemveilError(f"image size {image_size} is not positive")
    require_memory(
        len(files) * 3 * image_size**2,
        f"{len(files)} images of {image_size}×{image_size} pixels",
        "make data.image_size smaller",
        free_bytes(),
    )
    x = np.empty((len(files), 3, image_size, image_size), np.uint8)
    grey = True
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        # Large images are refused here, in one line.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        decoded = pool.map(lambda file: _decode(file, image_size), files)
        for row, pixels in zip(x, decoded, strict=True):
            row[...] = pixels
            grey = grey and bool((pixels == pixels[0]).all())
    return x, grey


def _decode(file: Path, image_size: int) -> NDArray[np.uint8]:
    """Return an image as uint8 ``[3, S, S]``."""
    from PIL import Image, ImageOps

    try:
        # A pipe or device might never end.
        if os.path.exists(file) and not os.path.isfile(file):
            raise SemveilError(f"{file} is not a regular file")
        with Image.open(file, formats=FORMATS) as opened:
            mode = opened.mode
            if opened.width * opened.height > MOST_PIXELS:
                raise SemveilError(
                    f"{file}: {opened.width}×{opened.height} pixels are more than {MOST_PIXELS}: "
                    "make it smaller first"
                )
            # Cameras write a preview as a second frame of a JPEG file.
            frames = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)
            if frames > 1:
                raise SemveilError(f"{file} has {frames} frames: extract the one that is meant")
            if mode not in EIGHT_BIT:
                raise SemveilError(f"{file}: pixel format {mode} does not have 8 bits per channel")
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    # Which exception a damaged file raises depends on its format.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SemveilError(f"{file} is not a readable image: {reason}") from error
    square = ImageOps.fit(upright, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(square).transpose(2, 0, 1)
