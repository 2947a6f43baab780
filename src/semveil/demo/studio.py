"""The links and pictures of the demonstration, without the page around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semveil.demo.eves import Background, Eves
from semveil.demo.panels import panels
from semveil.demo.scene import Controls, look
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.experiment.send import fitted

Picture = NDArray[np.uint8]
_MOST_LINKS, _MOST_EXAMPLES = 32, 10


class Studio:
    """Trained links, pictures to send over them, and the eavesdroppers of each.

    Args:
        names: Links, as ``open_link`` takes them.
        open_link: Name → link; called once per link.
        background: Who trains eavesdroppers.
    """

    def __init__(
        self,
        names: Sequence[str],
        open_link: Callable[[str], Link],
        background: Background | None = None,
    ) -> None:
        self.names = list(names)
        self.link = lru_cache(_MOST_LINKS)(open_link)
        self.examples = lru_cache(_MOST_LINKS)(self._examples)
        self._background = background or Background()

    def close(self) -> None:
        """End what goes on in the background."""
        self._background.close()

    def _examples(self, name: str) -> dict[str, Picture]:
        """Return a test image of each class, by its name; none where the data set is not here."""
        run = self.link(name).run
        assert run is not None
        try:
            test = run.splits.test
        except SemveilError:
            return {}
        found = {}
        for number, title in list(enumerate(run.class_names))[:_MOST_EXAMPLES]:
            rows = np.flatnonzero(test.y == number)
            if len(rows):
                found[title] = test.x[rows[0]]
        return found

    def uploaded(self, name: str, file: str | Path, invert: bool = False) -> Picture:
        """Return an image file as a link takes it, uint8 ``[C, H, W]``.

        Args:
            name: The link.
            file: BMP, JPEG, PNG, PPM or WebP.
            invert: Whether bright and dark are exchanged.

        Raises:
            SemveilError: If it is no image, or too large; without the folder that it is in.
        """
        path = Path(file)
        try:
            (picture,) = fitted([path], self.link(name).image_shape)
        except SemveilError as error:
            raise SemveilError(str(error).replace(str(path), path.name)) from None
        return 255 - picture if invert else picture

    def waiting(self, name: str) -> bool:
        """Return whether the eavesdroppers of a link are still being trained."""
        return self._background.get(name, self.link(name)) is None

    def show(self, name: str, picture: Picture | None, controls: Controls) -> str:
        """Return the panels of one sending as HTML."""
        if picture is None:
            return "<p>Upload a picture: the images of this link’s data set are not here.</p>"
        link = self.link(name)
        found = self._background.get(name, link)
        eves = found if isinstance(found, Eves) else None
        note = found.origin if isinstance(found, Eves) else found or ""
        return panels(link, look(link, picture, controls, eves), controls, found is None, note)
