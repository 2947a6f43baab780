"""Eve on the air: the eavesdroppers whom an audit kept listen to a recording."""

from __future__ import annotations

from collections.abc import Iterable

from semveil.air.listen import Listening, require_frames
from semveil.air.parties import kept_eves
from semveil.air.receive import HeaderCheck, decode_frames, frames_in, joined
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
    frames, check = list(frames_in(blocks, format, link.channel_uses)), HeaderCheck(link, None)
    require_frames(decode_frames(frames, check, lambda *_: Received("Eve")), name)
    example = joined([next(frame for frame in frames if check.problem(frame) is None)])
    return [
        Listening(eve.party, link.name.label, decode_frames(frames, check, eve))
        for eve in kept_eves(link, example)
    ]
