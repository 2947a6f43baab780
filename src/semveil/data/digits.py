"""Handwritten digits, 8×8 grey: the set that comes with scikit-learn and needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semveil.data.base import DATASETS, Dataset
from semveil.data.splits import Images, Source


@DATASETS.register
class Digits(Dataset):
    """The 1,797 digits of scikit-learn."""

    name = "digits"
    description = "1,797 handwritten digits, 8×8 grey, 10 classes; embedded, no download"
    source = "Alpaydin and Kaynak, UCI repository, 1998"
    licence = "CC BY 4.0"

    def read(self, root: Path | None = None) -> Source:
        """Return all 1,797 images as training set, grey levels 0..16 spread over 0..255."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        x = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
        classes = tuple(str(digit) for digit in range(10))
        return Source("digits", classes, Images(x, bunch.target.astype(np.int64)), None)
