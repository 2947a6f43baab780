"""Eve on the air: the eavesdroppers whom an audit kept listen to a recording."""

from __future__ import annotations

from collections.abc import Iterable

from semveil.air.listen import Listening, require_frames
from semveil.air.parties import Eve, kept_eves
from semveil.air.receive import FrameResult, HeaderCheck, batches, decode_frames, frames_in, joined
from semveil.experiment.link import Link
from semveil.experiment.send import Received
from semveil.radio import FrameFormat
from semveil.recording.samples import Samples


def overhear(
    link: Link, blocks: Iterable[Samples], format: FrameFormat, name: str
) -> list[Listening]:
    """Return what the eavesdroppers who were kept for a link make of samples.

    They find frames as Bob does, since preamble, header and pilots are in clear, and have no key.

    Raises:
        SemveilError: If no frame fits, or no eavesdropper was kept.
    """
    check = HeaderCheck(link, None)
    eves, rows, before = list[Eve](), list[list[FrameResult]](), list[FrameResult]()
    for some in batches(frames_in(blocks, format, link.channel_uses)):
        example = next((frame for frame in some if check.problem(frame) is None), None)
        if example is not None and not eves:
            eves = kept_eves(link, joined([example]))
            rows = [before.copy() for _ in eves]
        if not eves:
            before += decode_frames(some, check, _nobody)
        for eve, own in zip(eves, rows, strict=True):
            own += decode_frames(some, check, eve)
    require_frames(rows[0] if rows else before, name)
    return [Listening(eve.party, link.name.label, own) for eve, own in zip(eves, rows, strict=True)]


def _nobody(*_: object) -> Received:
    return Received("Eve")
