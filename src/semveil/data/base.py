"""The base class of data sets, and their registry."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from semveil.data.splits import Source
from semveil.recipe import DataConfig, Section
from semveil.registry import Registry


class Dataset:
    """A data set that recipes name.

    Attributes:
        name: Its name.
        description: One line about it.
        source: Where it was published.
        origin: Page where its publisher offers it under terms that must be agreed to; None if
            there are none.
        licence: Terms of the images, in words.
        takes: Settings of the recipe's section ``data`` that it takes, as keywords of
            :meth:`read`: ``image_size``, ``target``, ``private``.
        Config: Settings of its own, in the recipe as ``data.NAME``; None if it has none.

    Args:
        settings: Those of its ``Config``; the defaults if None.
    """

    name: str
    description: ClassVar[str] = ""
    source: ClassVar[str] = "not published"
    origin: ClassVar[str | None] = None
    licence: ClassVar[str] = "not stated"
    takes: ClassVar[tuple[str, ...]] = ()
    Config: ClassVar[type[Section] | None] = None

    def __init__(self, settings: Section | None = None) -> None:
        self.settings = self.Config() if settings is None and self.Config else settings

    def locate(self, root: Path | None = None) -> Path | None:
        """Return the folder of its files; None if it needs none.

        Args:
            root: Data folder; ``SEMVEIL_DATA`` if None.

        Raises:
            SemveilError: If files are missing.
        """
        return None

    def read(self, root: Path | None = None) -> Source:
        """Return the images with their classes.

        Raises:
            SemveilError: If files are missing, damaged or altered.
        """
        raise NotImplementedError


DATASETS: Registry[Dataset] = Registry(
    "data set", "semveil.data", section=DataConfig, plural="datasets"
)
