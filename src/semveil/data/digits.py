"""Handwritten digits, 8×8 grey: the set that comes with scikit-learn and needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semveil.data.splits import Images, Source

ABOUT = "1,797 handwritten digits, 8×8 grey, 10 classes; embedded, no download"


def locate(root: Path | None = None) -> None:
    """Return None: the images are in the scikit-learn package, whatever ``root`` is.

    Args:
        root: Ignored.

    Example:
        >>> locate()
    """


def read(root: Path | None = None) -> Source:
    """Return the digits, with grey levels 0..16 spread over 0..255.

    Args:
        root: Ignored, there is nothing to find.

    Returns:
        All 1,797 images as training set, uint8 ``[1797, 1, 8, 8]``; no official test set.

    Example:
        >>> read().train.x.shape
        (1797, 1, 8, 8)
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    classes = tuple(str(digit) for digit in range(10))
    return Source("digits", classes, Images(x, bunch.target.astype(np.int64)), None)
