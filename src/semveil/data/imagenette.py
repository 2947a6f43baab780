"""Imagenette: ten classes of ImageNet, as a folder of photos."""

from __future__ import annotations

import os
from pathlib import Path

from semveil.data import folder
from semveil.data.base import DATASETS, Dataset
from semveil.data.paths import data_root, refuse_packed
from semveil.data.splits import Source
from semveil.errors import SemveilError

# Folders of its archives: full size, 320 and 160 pixels.
_FOLDERS = ("imagenette2", "imagenette2-320", "imagenette2-160", "imagenette")
_FIRST_CLASS = "n01440764"
IMAGE_SIZE = 256


@DATASETS.register
class Imagenette(Dataset):
    """Imagenette."""

    name = "imagenette"
    description = "photos of ten ImageNet classes, resized, 256×256 by default"
    source = "Howard, fast.ai, 2019"
    origin = "https://github.com/fastai/imagenette"
    takes = ("image_size",)

    def locate(self, root: Path | None = None) -> Path:
        """Return the folder with ``train/`` and ``val/``, as one of its archives unpacks."""
        base = data_root(root)
        for name in _FOLDERS:
            if os.path.isdir(base / name / "train"):
                return base / name
        if os.path.isdir(base / "train" / _FIRST_CLASS):
            return base
        places = [base, *(base / name for name in _FOLDERS)]
        refuse_packed(self.name, places, ("imagenette",))
        raise SemveilError(
            f"imagenette is not in {base} (no {_FOLDERS[0]}/train/); its publisher offers it at "
            f"{self.origin}"
        )

    def read(self, root: Path | None = None, image_size: int = IMAGE_SIZE) -> Source:
        """Read the set; its ``val/`` is the test set."""
        source = folder.read(self.locate(root), image_size)
        return Source("imagenette", source.classes, source.train, source.test)
