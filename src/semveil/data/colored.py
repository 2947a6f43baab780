"""Colored MNIST and its small form: digits in four colours that have nothing to do with the digit.

The task and the private attribute are independent, so that Bob's answer says nothing of what Eve is
after, and a perfect defence need not cost Bob anything. Erdemir, Dragotti and Gündüz (arXiv
2110.04094) hide the colour of MNIST's digits from an eavesdropper; the colours are our choice. In
the set of Arjovsky et al. (arXiv 1907.02893) colour and label are correlated instead.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from semveil.data.base import DATASETS, Dataset
from semveil.data.digits import Digits
from semveil.data.mnist import Mnist
from semveil.data.splits import Images, Source
from semveil.data.stratified_split import random_of
from semveil.errors import SemveilError, unknown

COLORS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}
DIGIT, COLOR = "digit", "color"


class Colored(Dataset):
    """Grey digits in colours, of which every digit has equally many of each."""

    source = "grey digits coloured as by Erdemir, Dragotti, Gündüz, arXiv 2110.04094 (our colours)"
    takes = ("target", "private")
    grey: ClassVar[type[Dataset]]

    def locate(self, root: Path | None = None) -> Path | None:
        """Return the folder of the grey digits; None if they need none."""
        return self.grey().locate(root)

    def read(
        self, root: Path | None = None, *, target: str = DIGIT, private: str | None = None
    ) -> Source:
        """Return the digits in red, green, blue or yellow on black, RGB.

        Args:
            root: Data folder; ``SEMVEIL_DATA`` if None.
            target: Bob's task, ``digit`` or ``color``.
            private: What Eve is after, the other one; Bob's task if None.

        Raises:
            SemveilError: If an attribute is unknown or both are the same, or files are missing.
        """
        for asked in (target, private or target):
            if asked not in (DIGIT, COLOR):
                raise unknown(f"attribute of {self.name}", asked, (DIGIT, COLOR))
        if target == private:
            raise SemveilError(
                f"data.private: {private} is already data.target; set another attribute or none"
            )
        plain = self.grey().read(root)
        names = {DIGIT: plain.classes, COLOR: tuple(COLORS)}

        def colored(images: Images, part: str) -> Images:
            labels = {DIGIT: images.y, COLOR: _colors(images.y, part)}
            painted = images.x * _RGB[labels[COLOR]][:, :, None, None]
            return Images(painted, labels[target], labels[private] if private else None)

        return replace(
            plain,
            name=self.name,
            classes=names[target],
            train=colored(plain.train, "train"),
            test=None if plain.test is None else colored(plain.test, "test"),
            private_classes=names[private] if private else None,
            private_name=private,
        )


_RGB = np.array(list(COLORS.values()), dtype=np.uint8)


def _colors(digits: NDArray[np.int64], part: str) -> NDArray[np.int64]:
    """Return a colour for each digit, the same on every reading, equally frequent in each class."""
    random = random_of(0, f"colors {part}")
    found = np.empty_like(digits)
    for digit in np.unique(digits):
        members = random.permutation(np.flatnonzero(digits == digit))
        found[members] = np.arange(len(members)) % len(COLORS)
    return found


@DATASETS.register
class ColoredMnist(Colored):
    """MNIST in four colours."""

    name = "colored-mnist"
    description = "MNIST in four colours, 28×28; digit or color as task, the other one private"
    licence = Mnist.licence
    grey = Mnist


@DATASETS.register
class ColoredDigits(Colored):
    """The digits of scikit-learn in four colours."""

    name = "colored-digits"
    description = "digits in four colours, 8×8; digit or color as task, the other one private"
    licence = Digits.licence
    grey = Digits
