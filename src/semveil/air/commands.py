"""From recording to recording: what the commands about the air do with files."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from semveil.adversary.perturb.attack import Progress
from semveil.air.jam import Jammer, added
from semveil.air.listen import Listening, compared, require_frames, write_pictures
from semveil.air.overhear import overhear as listen_to
from semveil.air.parties import Bob, counters_of, with_key_file
from semveil.air.receive import HeaderCheck, decode_frames, frames_in
from semveil.air.soapy import Radio, receive_samples, transmit_samples
from semveil.air.stated import frame_format, stated_format
from semveil.air.transmit import Transmitter, image_files
from semveil.errors import SemveilError, SemveilWarning
from semveil.experiment.link import Link
from semveil.experiment.send import fitted
from semveil.files import refuse_existing, unused_folder
from semveil.radio import FrameFormat, HardwareChannel, ReceivedFrame
from semveil.recipe import AttackConfig
from semveil.recording import (
    Annotation,
    Recording,
    files_of,
    open_recording,
    read_raw,
    write_recording,
)
from semveil.recording.samples import (
    Samples,
    beyond_full_scale,
    require_datatype,
    to_bytes,
    warn_of_clipping,
)
from semveil.rng import generator

STANDARD_STREAM = Path("-")


@dataclass(frozen=True)
class Transmission:
    """What was written or sent.

    Attributes:
        recording: Its path without suffix; None if there is none.
        system: Label of the link.
        frames: Frames, one image each.
        samples: Complex samples.
        sample_rate_hz: Samples per second.
        counters: First and last message counter.
        key: Where the key comes from, in words; None where there is none.
    """

    recording: Path | None
    system: str
    frames: int
    samples: int
    sample_rate_hz: float
    counters: tuple[int, int]
    key: str | None


@dataclass(frozen=True)
class Source:
    """Where samples come from: a recording, the standard input, or a radio.

    Attributes:
        name: What errors call it.
        format: Format of the frames in it.
        first: Counter of its first frame, if its metadata states it.
        beside: Path beside which pictures are written.
        recording: The recording; None if it is none.
        radio: The radio, and for how many seconds it is listened to; None if it is none.
        datatype: Data type of the standard input.
    """

    name: str
    format: FrameFormat
    first: int | None
    beside: Path
    recording: Recording | None = None
    radio: tuple[Radio, float] | None = None
    datatype: str = "cf32_le"

    def blocks(self) -> Iterator[Samples]:
        """Yield its samples."""
        if self.radio is not None:
            return receive_samples(*self.radio)
        if self.recording is not None:
            return self.recording.blocks()
        return read_raw(sys.stdin.buffer, self.datatype, self.name)


def source_of(
    path: Path | None,
    settings: Mapping[str, Any],
    datatype: str = "cf32_le",
    radio: tuple[Radio, float] | None = None,
) -> Source:
    """Return a source of samples, checked."""
    if radio is not None:
        format = frame_format(settings)
        return Source(f"radio {radio[0].arguments}", format, None, Path("radio"), radio=radio)
    if path is None:
        raise SemveilError("name a recording, - for the standard input, or a radio")
    if path == STANDARD_STREAM:
        require_datatype(datatype)
        return Source(
            "standard input", frame_format(settings), None, Path("stdin"), datatype=datatype
        )
    recording = open_recording(path)
    counters = [each.fields.get("semveil:counter") for each in recording.annotations]
    first = min((each for each in counters if type(each) is int and each >= 0), default=None)
    format = stated_format(recording, settings)
    return Source(str(recording.base), format, first, recording.base, recording)


def transmit(
    link: Link,
    images: Sequence[Path],
    out: Path | None,
    format: FrameFormat,
    key_file: Path | None = None,
    datatype: str = "cf32_le",
    seed: int = 0,
    radio: Radio | None = None,
) -> Transmission:
    """Write images as a recording or to the standard output, or send them by a radio."""
    if out is None and radio is None:
        raise SemveilError("out: name the recording to make, or a radio to send it")
    if out == STANDARD_STREAM and radio is not None:
        raise SemveilError("out: a radio's samples go to a recording, not to the standard output")
    if not images:
        raise SemveilError("name at least one image")
    link = with_key_file(link, key_file)
    sender = Transmitter(link, format, key_file, seed=seed)
    files, count = image_files(images), 0

    def counted() -> Iterator[Samples]:
        nonlocal count
        for block in sender.blocks(files):
            count += len(block)
            yield block

    if out == STANDARD_STREAM:
        require_datatype(datatype)
        lost = 0
        for block in counted():
            lost += 0 if datatype == "cf32_le" else beyond_full_scale(block)
            sys.stdout.buffer.write(to_bytes(block, datatype))
        sys.stdout.buffer.flush()
        warn_of_clipping("standard output", lost, count)
        out = None
    base = None
    if out is not None:
        base = write_recording(
            out,
            counted(),
            format.sample_rate,
            datatype=datatype,
            annotations=sender.annotations,
            fields=sender.fields(),
            description=f"{len(files)} images over {link.name.label}",
            frequency_hz=None if radio is None else radio.frequency_hz,
        )
    if radio is not None:
        recorded = None if base is None else open_recording(base, verify=False).blocks()
        transmit_samples(radio, counted() if recorded is None else recorded)
    numbers = [int(each.fields["semveil:counter"]) for each in sender.annotations]
    return Transmission(
        base,
        link.name.label,
        len(numbers),
        count,
        format.sample_rate,
        (numbers[0], numbers[-1]),
        link.key_origin if link.keyed else None,
    )


def apply_channel(source: Recording, out: Path, channel: HardwareChannel, seed: int = 0) -> Path:
    """Write a recording as it leaves a channel and imperfect radios."""
    format = stated_format(source)
    if "semveil:format" not in source.fields:
        text = (
            f"{source.base}: its metadata states no level of frames: SNR, clipping and DC offset "
            f"are relative to {format.level:g}"
        )
        warnings.warn(text, SemveilWarning, stacklevel=2)
    blocks = (torch.from_numpy(block) for block in source.blocks())
    passed = channel.stream(blocks, format, generator=generator(seed, "air", "channel"))
    length = channel.length(source.count, format)
    rate = 1 + channel.sro_ppm * 1e-6

    def moved(each: Annotation) -> Annotation:
        start = round(each.start / rate + channel.delay)
        count = min(each.count, length - start)
        return replace(each, start=start, count=count)

    changes = {
        name: value
        for name, value in vars(channel).items()
        if value not in (None, 0) and name != "decay"
    }
    made = (block.numpy() for block in passed)
    return copied(source, out, made, {"semveil:channel": changes}, map(moved, source.annotations))


def copied(
    source: Recording,
    out: Path,
    blocks: Iterable[Samples],
    fields: Mapping[str, Any],
    annotations: Iterable[Annotation] | None = None,
) -> Path:
    """Write other samples with the metadata of a recording."""
    assert source.sample_rate_hz is not None
    kept = {k: v for k, v in source.fields.items() if k.startswith("semveil:") and k != _COUNT}
    captures = source.captures or [{}]
    return write_recording(
        out,
        blocks,
        source.sample_rate_hz,
        datatype=source.datatype,
        annotations=source.annotations if annotations is None else annotations,
        fields={**kept, **fields},
        description=source.fields.get("core:description", ""),
        frequency_hz=captures[0].get("core:frequency"),
    )


_COUNT = "semveil:samples"


def receive(
    link: Link,
    source: Source,
    originals: Sequence[Path] = (),
    out: Path | None = None,
    key_file: Path | None = None,
) -> Listening:
    """Let Bob receive, and write the pictures that he gets."""
    if out is not None:
        refuse_existing(out)
    link = with_key_file(link, key_file)
    check = HeaderCheck(link, link.key if link.keyed else None)
    with counters_of(link, key_file) as counters:
        frames = frames_in(source.blocks(), source.format, check.width)
        rows = decode_frames(frames, check, Bob(link), counters)
        require_frames(rows, source.name)
        first = source.first if link.keyed and key_file is not None else source.first or 0
        found = Listening(Bob.party, link.name.label, rows)
        return _finished(found, link, source, originals, first, out)


def overhear(
    link: Link, source: Source, originals: Sequence[Path] = (), out: Path | None = None
) -> list[Listening]:
    """Let the eavesdroppers who were kept for a link listen, and write the pictures they get."""
    if out is not None:
        refuse_existing(out)
    heard = listen_to(link, source.blocks(), source.format, source.name)
    first = source.first if link.keyed else source.first or 0
    return [_finished(each, link, source, originals, first, out) for each in heard]


def _finished(
    found: Listening,
    link: Link,
    source: Source,
    originals: Sequence[Path],
    first: int | None,
    out: Path | None,
) -> Listening:
    """Return what a party made with PSNRs, and with its pictures written.

    Counters begin at 0, unless they are those of a session key.
    """
    rows = found.frames
    if originals:
        images = fitted(image_files(originals), link.image_shape)
        rows = compared(rows, images, first)
    word = "received" if found.party == Bob.party else "overheard"
    folder = out or unused_folder(source.beside.with_name(f"{source.beside.name}-{word}"))
    return replace(found, frames=rows, folder=write_pictures(folder, rows))


def jam(
    link: Link,
    source: Recording,
    out: Path,
    settings: AttackConfig,
    synchronised: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Path, int]:
    """Write a recording with an attack added to its frames; return its path and the frames."""
    refuse_existing(*files_of(out))
    format, check = stated_format(source), HeaderCheck(link, None)
    problems, count = set[str | None](), 0

    def good() -> Iterator[ReceivedFrame]:
        nonlocal count
        for frame in frames_in(source.blocks(), format, check.width):
            problem = check.problem(frame)
            count += problem is None
            if problem is None:
                yield frame
            else:
                problems.add(problem)

    # An attack is fitted only where there is a frame.
    frames = good()
    first = next(frames, None)
    if first is None:
        found = "; ".join(map(str, problems or {"no frame in it"}))
        raise SemveilError(f"{source.base}: nothing to attack: {found}")
    jammer = Jammer(link, settings, format, synchronised, seed, progress or _silent)
    pieces = jammer.perturbations(chain([first], frames), source)
    stated = {
        "attack": jammer.attack.name,
        "psr_db": jammer.psr_db,
        "synchronised": synchronised,
    }
    blocks = added(source.blocks(), pieces, 2 * format.block_length)
    return copied(source, out, blocks, {"semveil:jammed": stated}), count


def _silent(stage: str, done: int, of: int) -> None:
    """Tell nobody."""
