"""Imagenette: ten classes of ImageNet, as a folder of photos."""

from __future__ import annotations

from pathlib import Path

from semveil.data import folder
from semveil.data.paths import data_root
from semveil.data.splits import Source
from semveil.errors import SemveilError

ABOUT = "Imagenette: photos of ten ImageNet classes, resized, 256×256 unless stated otherwise"
ORIGIN = "https://github.com/fastai/imagenette"
# As its archives unpack: full size, 320 and 160 pixels.
_FOLDERS = ("imagenette2", "imagenette2-320", "imagenette2-160", "imagenette")
IMAGE_SIZE = 256


def locate(root: Path | None = None) -> Path:
    """Find the folder with ``train/`` and ``val/``, each with one subfolder per class.

    Args:
        root: Data folder; ``SEMVEIL_DATA`` if omitted.

    Raises:
        SemveilError: If it is not there.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "imagenette2-160" / "train").mkdir(parents=True)
        >>> locate(root).name
        'imagenette2-160'
    """
    base = data_root(root)
    for name in _FOLDERS:
        if (base / name / "train").is_dir():
            return base / name
    raise SemveilError(
        f"imagenette is not in {base} (no {_FOLDERS[0]}/train/); its publisher hands it out at "
        f"{ORIGIN}"
    )


def read(root: Path | None = None, image_size: int = IMAGE_SIZE) -> Source:
    """Read the set; its ``val/`` is the test set.

    Args:
        root: Data folder; ``SEMVEIL_DATA`` if omitted.
        image_size: Height and width in memory, as for :func:`semveil.data.folder.read`.

    Raises:
        SemveilError: If it is not there, or an image cannot be read.
    """
    source = folder.read(locate(root), image_size)
    return Source("imagenette", source.classes, source.train, source.test)
