"""Alice on the air: images become frames of samples, each with a header of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semveil.air.counters import next_counters
from semveil.air.identity import link_digest
from semveil.data.folder import SUFFIXES
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.experiment.send import fitted
from semveil.link import as_float
from semveil.protect.keys import fingerprint
from semveil.radio import FrameFormat, Header, modulate
from semveil.radio.header import KEY_BYTES, VERSION
from semveil.recording.samples import Samples
from semveil.recording.writer import Annotation
from semveil.rng import generator

_AT_ONCE = 64  # images that are sent together


def image_files(paths: Sequence[Path]) -> list[Path]:
    """Return image files, those of a folder in the order of their names.

    Raises:
        SemveilError: If a folder has none, or a file does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
            if not inside:
                raise SemveilError(f"{path} has no images: expected files such as .png or .jpg")
            found += inside
        else:
            found.append(path)
    return found


@dataclass
class Transmitter:
    """Sends images of a link frame by frame; what was sent is annotated.

    Args:
        link: The link, under the key that it sends with.
        format: Format of the frames.
        key_file: Where the counters of its key are kept; None for the public research key, whose
            counters start at 0.
        gap: Samples of silence before each frame and after the last.
        seed: Seed of Alice's own randomness.

    Attributes:
        annotations: One per frame that :meth:`blocks` has given.
    """

    link: Link
    format: FrameFormat
    key_file: Path | None = None
    gap: int = 512
    seed: int = 0
    annotations: list[Annotation] = field(default_factory=list)

    def blocks(self, files: Sequence[Path]) -> Iterator[Samples]:
        """Yield the samples of image files, complex64 ``[T]``."""
        counters = self._counters(len(files))
        silence = np.zeros(self.gap, np.complex64)
        place = 0
        for first in range(0, len(files), _AT_ONCE):
            some = files[first : first + _AT_ONCE]
            numbers = counters[first : first + _AT_ONCE]
            for samples, number in zip(self._frames(some, numbers, first), numbers, strict=True):
                place += len(silence)
                fields = {"semveil:counter": int(number), "semveil:images": 1}
                self.annotations.append(
                    Annotation(place, len(samples), f"frame {int(number)}", fields)
                )
                place += len(samples)
                yield silence
                yield samples
        yield silence

    def fields(self) -> dict[str, Any]:
        """Return what the metadata states of the link; nothing of the key but its fingerprint."""
        stated: dict[str, Any] = {
            "semveil:link": self._digest.hex(),
            "semveil:format": asdict(self.format),
            "semveil:version": VERSION,
        }
        if self.link.keyed:
            stated["semveil:key_fingerprint"] = self._fingerprint.hex()
        return stated

    @cached_property
    def _digest(self) -> bytes:
        return link_digest(self.link)

    @property
    def _fingerprint(self) -> bytes:
        return fingerprint(self.link.key) if self.link.keyed else bytes(KEY_BYTES)

    def _counters(self, count: int) -> torch.Tensor:
        if self.link.keyed and self.key_file is not None:
            return next_counters(self.link.key, self.key_file, count)
        return torch.arange(count)

    @torch.no_grad()
    def _frames(
        self, files: Sequence[Path], counters: torch.Tensor, first: int
    ) -> NDArray[np.complex64]:
        """Return the frames of some images, complex64 ``[B, T]``."""
        link = self.link
        pixels = as_float(torch.from_numpy(fitted(files, link.image_shape)).to(link.device))
        source = generator(self.seed, "air", "transmit", first, device=link.device)
        symbols = link.transmit_numbered(pixels, source, counters.to(link.device)).cpu()
        digest, mark, uses = self._digest, self._fingerprint, symbols.shape[1]
        headers = [Header(digest, 1, uses, mark, int(number)) for number in counters]
        samples: NDArray[np.complex64] = modulate(self.format, headers, symbols).numpy()
        return samples
