"""A data set: images that are made, not read, with a setting of their own."""

from typing import Annotated

import numpy as np
from pydantic import Field

from semveil.data import DATASETS, Dataset
from semveil.data.splits import Images, Source
from semveil.recipe import Section


@DATASETS.register
class Stripes(Dataset):
    """Stripes in four directions, under noise."""

    name = "stripes"
    description = "600 images of stripes in four directions, 8×8 grey"
    source = "example of the documentation"

    class Config(Section):
        """Settings in the recipe's section ``data.stripes``.

        Attributes:
            noise: Standard deviation of the noise, in grey levels of 0 to 255.
        """

        noise: Annotated[float, Field(ge=0, le=255)] = 30.0

    def read(self, root=None):
        """Return the images; a fifth of them will be held out as the test set."""
        draws = np.random.default_rng(0)
        row, column = np.mgrid[:8, :8]
        shapes = np.stack([row, column, row + column, row - column]) // 2 % 2
        labels = np.arange(600) % 4
        grey = 55 + 145 * shapes[labels] + self.settings.noise * draws.normal(size=(600, 8, 8))
        images = Images(grey.clip(0, 255).round().astype(np.uint8)[:, None], labels)
        return Source(self.name, ("horizontal", "vertical", "falling", "rising"), images, None)
