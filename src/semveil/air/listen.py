"""What a party made of a recording: a row per frame, pictures, figures against the originals."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semveil.air.receive import FrameResult
from semveil.errors import SemveilError
from semveil.files import new_folder
from semveil.link import as_float
from semveil.metrics import psnr_db


@dataclass(frozen=True)
class Listening:
    """What a party made of the frames of a recording.

    Attributes:
        party: ``Bob``, or the eavesdropper's name.
        system: Label of the link.
        frames: One row per frame that was found, decoded or not.
        folder: Folder with the pictures; None if there are none.
    """

    party: str
    system: str
    frames: list[FrameResult]
    folder: Path | None = None

    @property
    def decoded(self) -> list[FrameResult]:
        """The frames that were decoded."""
        return [frame for frame in self.frames if frame.problem is None]

    def plain(self) -> dict[str, Any]:
        """Return everything but the pictures, as JSON takes it."""
        rows = [
            {key: _plain(value) for key, value in vars(frame).items() if key != "image"}
            for frame in self.frames
        ]
        folder = None if self.folder is None else str(self.folder)
        return {"party": self.party, "system": self.system, "frames": rows, "folder": folder}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, which has no NaN: what could not be measured is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def require_frames(frames: Sequence[FrameResult], name: str) -> None:
    """Refuse a recording of which nothing was decoded, with the most frequent reason.

    Raises:
        SemveilError: If there is no frame in it, or none could be decoded.
    """
    if not frames:
        raise SemveilError(
            f"{name}: no frame in it; is it at the right rate and frequency, and not too noisy?"
        )
    problems = Counter(frame.problem for frame in frames)
    if None not in problems:
        (most, _), *_ = problems.most_common(1)
        raise SemveilError(
            f"{name}: none of {len(frames)} frames can be decoded: {most}"
            if len(frames) > 1
            else f"{name}: its frame cannot be decoded: {most}"
        )


def compared(
    frames: Sequence[FrameResult], originals: NDArray[np.uint8], first: int | None
) -> list[FrameResult]:
    """Return frames with the PSNR of their images.

    Args:
        frames: The frames.
        originals: Images in the order of sending, uint8 ``[N, C, H, W]``.
        first: Counter of the first; the least one that was received if None.
    """
    counters = [frame.counter for frame in frames if frame.counter is not None]
    first = min(counters, default=0) if first is None else first
    found = []
    for frame in frames:
        place = -1 if frame.counter is None else frame.counter - first
        if frame.image is not None and 0 <= place < len(originals):
            pair = (
                as_float(torch.from_numpy(each[None])) for each in (frame.image, originals[place])
            )
            frame = replace(frame, psnr_db=float(psnr_db(*pair)))
        found.append(frame)
    return found


def write_pictures(folder: Path, frames: Sequence[FrameResult]) -> Path | None:
    """Write the images of frames as ``image-COUNTER.png``, all or none; None if there are none.

    A message that was received again is ``image-COUNTER-2.png`` and so on.
    """
    from PIL import Image

    files, sent = dict[str, bytes | str](), dict[int | None, int]()
    for frame in frames:
        if frame.image is not None:
            pixels = np.moveaxis(frame.image, 0, -1)
            content = io.BytesIO()
            Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(
                content, "PNG"
            )
            times = sent[frame.counter] = sent.get(frame.counter, 0) + 1
            again = "" if times == 1 else f"-{times}"
            files[f"image-{frame.counter:06}{again}.png"] = content.getvalue()
    if not files:
        return None
    new_folder(folder, files)
    return folder
