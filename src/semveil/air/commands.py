"""From recording to recording: what the commands about the air do with files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from semveil.adversary.perturb.attack import Progress
from semveil.air.counters import keep_receiver
from semveil.air.jam import Jammer, added
from semveil.air.listen import Listening, compared, require_frames, write_pictures
from semveil.air.overhear import overhear as listen_to
from semveil.air.parties import Bob, counters_of, with_key_file
from semveil.air.receive import HeaderCheck, decode_frames, frames_in
from semveil.air.soapy import Radio, receive_samples, transmit_samples
from semveil.air.stated import frame_format, stated_format
from semveil.air.transmit import Transmitter, image_files
from semveil.device import free_memory
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.experiment.send import fitted
from semveil.files import unused_folder
from semveil.memory import require_memory
from semveil.radio import FrameFormat, HardwareChannel
from semveil.recipe import AttackConfig
from semveil.recording import (
    Annotation,
    Recording,
    open_recording,
    read_raw,
    write_recording,
)
from semveil.recording.samples import Samples, require_datatype
from semveil.rng import generator

STANDARD_INPUT = Path("-")


@dataclass(frozen=True)
class Transmission:
    """What was written or sent.

    Attributes:
        recording: Its path without suffix; None if it went to a radio alone.
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
    if path == STANDARD_INPUT:
        require_datatype(datatype)
        return Source(
            "standard input", frame_format(settings), None, Path("stdin"), datatype=datatype
        )
    recording = open_recording(path)
    stated = (
        recording.fields
        if not settings
        else {
            **recording.fields,
            "semveil:format": {"sample_rate": recording.sample_rate_hz, **settings},
        }
    )
    recording = replace(recording, fields=dict(stated))
    counters = [each.fields.get("semveil:counter") for each in recording.annotations]
    first = min((each for each in counters if isinstance(each, int)), default=None)
    return Source(str(recording.base), stated_format(recording), first, recording.base, recording)


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
    """Write images as a recording, or send them by a radio, or both."""
    if out is None and radio is None:
        raise SemveilError("out: name the recording to make, or a radio to send it")
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

    blocks: Iterable[Samples] = counted()
    if radio is not None and out is not None:
        blocks = list(blocks)
    base = None
    if out is not None:
        base = write_recording(
            out,
            blocks,
            format.sample_rate,
            datatype=datatype,
            annotations=sender.annotations,
            fields=sender.fields(),
            description=f"{len(files)} images over {link.name.label}",
            frequency_hz=None if radio is None else radio.frequency_hz,
        )
    if radio is not None:
        transmit_samples(radio, blocks)
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
    require_memory(
        40 * source.count,
        f"{source.count} samples",
        "cut the recording into shorter ones",
        free_memory(torch.device("cpu")),
    )
    samples = torch.from_numpy(source.read())[None]
    passed = channel(samples, format, generator=generator(seed, "air", "channel"))[0].numpy()
    rate = 1 + channel.sro_ppm * 1e-6

    def moved(each: Annotation) -> Annotation:
        start = round(each.start / rate + channel.delay)
        count = min(each.count, len(passed) - start)
        return replace(each, start=start, count=count)

    changes = {
        name: value
        for name, value in vars(channel).items()
        if value not in (None, 0) and name != "decay"
    }
    return copied(
        source, out, [passed], {"semveil:channel": changes}, map(moved, source.annotations)
    )


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
    link = with_key_file(link, key_file)
    counters = counters_of(link, key_file)
    check = HeaderCheck(link, link.key if link.keyed else None)
    rows = decode_frames(
        frames_in(source.blocks(), source.format, check.width), check, Bob(link), counters
    )
    require_frames(rows, source.name)
    found = _finished(Listening(Bob.party, link.name.label, rows), link, source, originals, out)
    if counters is not None and key_file is not None:
        keep_receiver(counters, key_file)
    return found


def overhear(
    link: Link, source: Source, originals: Sequence[Path] = (), out: Path | None = None
) -> list[Listening]:
    """Let the eavesdroppers who were kept for a link listen, and write the pictures they get."""
    heard = listen_to(link, source.blocks(), source.format, source.name)
    return [_finished(each, link, source, originals, out) for each in heard]


def _finished(
    found: Listening, link: Link, source: Source, originals: Sequence[Path], out: Path | None
) -> Listening:
    """Return what a party made with PSNRs, and with its pictures written."""
    rows = found.frames
    if originals:
        images = fitted(image_files(originals), link.image_shape)
        rows = compared(rows, images, source.first)
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
    format, check = stated_format(source), HeaderCheck(link, None)
    found = list(frames_in(source.blocks(), format, check.width))
    frames = [frame for frame in found if check.problem(frame) is None]
    if not frames:
        problems = {check.problem(frame) for frame in found} or {"no frame in it"}
        raise SemveilError(f"{source.base}: nothing to attack: {'; '.join(map(str, problems))}")
    jammer = Jammer(link, settings, format, synchronised, seed, progress or _silent)
    pieces = jammer.perturbations(frames, source)
    stated = {
        "attack": jammer.attack.name,
        "psr_db": jammer.psr_db,
        "synchronised": synchronised,
    }
    blocks = added(source.blocks(), pieces, 2 * format.block_length)
    return copied(source, out, blocks, {"semveil:jammed": stated}), len(frames)


def _silent(stage: str, done: int, of: int) -> None:
    """Tell nobody."""
