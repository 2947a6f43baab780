"""The public interface: train, load and use links, and evaluate them.

The commands of the command line call these functions. ``import semveil`` offers the most important
of them by their names alone, such as ``semveil.load``.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from semveil import recipe as recipes
from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import in_order
from semveil.air import commands as air
from semveil.air.commands import Transmission
from semveil.air.inspect import inspect as inspect_samples
from semveil.air.listen import Listening
from semveil.air.soapy import Radio
from semveil.air.stated import frame_format, stated_format
from semveil.data import DATASETS, load_configured
from semveil.data.folder import DESCRIPTION as IMAGE_FOLDER
from semveil.demo.page import LOOPBACK, serve
from semveil.demo.studio import Studio
from semveil.device import pick_device
from semveil.errors import SemveilError, SemveilWarning, in_file, resumable, unknown
from semveil.evaluation.api import levels_of
from semveil.experiment.attack_run import AttackRun
from semveil.experiment.checkpoint_cache import require_folder
from semveil.experiment.harden import harden as start_hardening
from semveil.experiment.jobs import Runner
from semveil.experiment.link import Link
from semveil.experiment.plan import complete, plan, requested, with_reference
from semveil.experiment.pool import Pool
from semveil.experiment.process import require_count
from semveil.experiment.run import FACTS, Run
from semveil.experiment.send import Sent
from semveil.experiment.send import send as send_files
from semveil.experiment.training import Hardware
from semveil.files import hold, unused_folder
from semveil.graphs.audit import audit_graph
from semveil.graphs.export import ExportedLink, export_link
from semveil.graphs.foreign import Equaliser
from semveil.graphs.load import read_graph
from semveil.metrics import METRICS
from semveil.papers import PAPERS, execute
from semveil.papers import reproduce as reproduction
from semveil.papers.manifest import Manifest, read_manifest
from semveil.plugin_errors import of_plugin
from semveil.profiling.own import link_costs
from semveil.protect import PROTECTIONS, added_symbols
from semveil.protect.keys import require_key
from semveil.radio import HardwareChannel
from semveil.recipe import Recipe
from semveil.recording import open_recording
from semveil.records import Record
from semveil.registry import OURS, Registry
from semveil.report.folder import refuse_damage
from semveil.result import Result, read_result
from semveil.schemes import SCHEMES
from semveil.training import TRAININGS
from semveil.zoo.entry import entry_at
from semveil.zoo.open import open_entry, unpack
from semveil.zoo.places import entries

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done, and the steps in all."""
RUNS = Path("runs")
BUDGET = "cpu"
"""The budget of studies that name none."""


def load(
    folder: str | Path,
    system: str | None = None,
    *,
    key: bytes | None = None,
    device: str = "auto",
    data: Path | None = None,
) -> Link:
    """Load a trained link from the folder of a run, or from the zoo.

    A run holds several systems: the scheme that its recipe asks for, the unprotected reference,
    controls and variants.

    Args:
        folder: Folder of a run, or name of a zoo entry, such as ``digits/ibal``, whose files are
            checked; see `semveil zoo list`.
        system: Which of its systems, as tables name it; the recipe's scheme if omitted.
        key: Session key of a keyed system, 32 secret bytes, which Alice and Bob share. If None it
            is derived from the seed, and everybody has it: for experiments only.
        device: ``auto``, ``cpu`` or ``cuda``.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted. Sending needs no data set.

    Raises:
        SemveilError: If the folder holds no trained run or no such system (the message names the
            systems there are), a zoo entry is unknown, altered or incomplete, or a key is given
            and the system has none.

    Example:
        >>> load("runs/none")
        Traceback (most recent call last):
        ...
        semveil.errors.SemveilError: runs/none holds no run: there is no run.json in it
    """
    entry = entry_at(folder)
    if entry is None:
        run = _open(folder, device, 1, data)
    else:
        run = open_entry(entry, _hardware(device), data)
    link = run.link(system)
    if key is None:
        return link
    if not link.keyed:
        raise SemveilError(f"key: {link.name.label} has none; load it without")
    return link.with_key(require_key(key))


def settings(recipe: str | Path, changes: recipes.Changes = ()) -> Recipe:
    """Return every setting that a run of a recipe has, those of its schemes included.

    Args:
        recipe: Name of a recipe, or path of a ``.yaml`` file.
        changes: Settings to change, such as ``{"link.latent_dim": 64}``.

    Raises:
        SemveilError: If the recipe or a setting is unknown, or a value does not fit.

    Example:
        >>> settings("dp-digits", {"dp.epsilon": 0.5}).model_dump()["dp"]["epsilon"]
        0.5
    """
    found = recipes.load(str(recipe), changes)
    return complete(with_reference(requested(found)), found)


def added_channel_uses(settings: Recipe) -> int:
    """Return the channel uses per image that protections add to those of the link.

    Args:
        settings: From :func:`settings`.

    Example:
        >>> changes = {"protections": ["keyed-pilots"], "keyed-pilots.blocks": 4}
        >>> added_channel_uses(settings("rotation-digits", changes))
        8
    """
    (system, *_) = plan([requested(settings)], settings)
    return added_symbols(system.scheme.recipe)


def train(
    recipe: str | Path | None = None,
    changes: recipes.Changes = (),
    *,
    out: str | Path | None = None,
    seed: int = 0,
    reference: bool = True,
    device: str = "auto",
    devices: int = 1,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> Link:
    """Train the links of a recipe, and return the one of its scheme.

    Args:
        recipe: Name of a recipe, or path of a ``.yaml`` file.
        changes: Settings to change, such as ``{"link.latent_dim": 64}``.
        out: Folder to make; ``runs/NAME``, or ``runs/NAME-2`` and so on, if omitted.
        seed: Seed of every random number.
        reference: Whether the unprotected reference is trained beside it, for comparison.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of an interrupted run to resume, instead of a recipe.

    Raises:
        SemveilError: If a setting, the data or the folder does not fit, before anything is trained.

    Example:
        >>> import tempfile
        >>> quick = {"data.limit": 100, "train.epochs": 1, "train.batch": 20, "link.width": 4}
        >>> link = train("deepjscc-digits", quick, out=tempfile.mkdtemp() + "/run", device="cpu")
        >>> link.name.label
        'deepjscc'
    """
    run = _begin(recipe, changes, out, resume, seed, reference, device, devices, data)
    with hold(run.folder), resumable(run.folder, "train"):
        refuse_damage(run.folder)
        run.train(progress)
    return run.link()


def run(
    recipe: str | Path | None = None,
    changes: recipes.Changes = (),
    *,
    out: str | Path | None = None,
    seed: int = 0,
    reference: bool = True,
    device: str = "auto",
    devices: int = 1,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
    workers: int | None = None,
) -> Result:
    """Train the links of a recipe, train eavesdroppers against them, and write the report.

    Arguments and errors are those of :func:`train`; ``workers`` systems are measured at a time,
    each in a process of its own, or one after the other in this process if it is None. A script
    that asks for workers needs the line ``if __name__ == "__main__":``.

    Returns:
        What was measured of every system of the run.
    """
    require_count("workers", workers)
    started = _begin(recipe, changes, out, resume, seed, reference, device, devices, data)
    with hold(started.folder), resumable(started.folder, "run"):
        return _audited(started, progress, workers)


def audit_run(
    folder: str | Path,
    *,
    device: str = "auto",
    data: Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Let eavesdroppers attack every system of a trained run, and write the report.

    Args:
        folder: Folder of the run; records and report are written into it. Or name of a zoo entry:
            ``digits/ibal`` becomes the run ``runs/digits-ibal``.
        device: ``auto``, ``cpu`` or ``cuda``.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Raises:
        SemveilError: If the folder holds no trained run.
    """
    started = _unpacked(folder, device, 1, data)
    started.require_trained()
    with hold(started.folder), resumable(started.folder, "audit"):
        return _audited(started, progress)


def audit_model(
    encoder: str | Path,
    data: str,
    *,
    decoder: str | Path | None = None,
    snr_db: Sequence[float] = (0.0, 10.0, 20.0),
    changes: recipes.Changes = (),
    fixed_gain: bool = False,
    normalise: bool = False,
    equaliser: Equaliser = "mmse",
    name: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    root: Path | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Result:
    """Audit a model of ONNX files that was trained elsewhere, attack it, and write the report.

    Eavesdroppers are trained against the encoder. Where there is a decoder, Bob is measured, and
    attacked at the middle one of the SNRs, with gradients where its graph converts to torch.

    Args:
        encoder: ONNX file, images float32 ``[B, C, H, W]`` in [0, 1] → symbols: real and imaginary
            parts ``[B, 2, k]``, pairs ``[B, k, 2]``, or reals of which two neighbours are one.
        data: Name of a data set, or ``folder:PATH``.
        decoder: ONNX file, symbols in the same form, and perhaps their reliability ``[B, 1]`` →
            logits, images, or both.
        snr_db: SNRs of Bob and Eve, dB.
        changes: Settings of ``data``, ``bob``, ``eve``, ``audit`` and ``attack`` to change, such as
            ``{"bob.fading": "awgn"}``.
        fixed_gain: Allow powers that are one on average over the images only.
        normalise: Scale every image's waveform to unit power, outside of the graph.
        equaliser: ``mmse``, or ``zero-forcing``, which leaves symbols as received over AWGN.
        name: Name in records and on the page; that of the file if omitted.
        out: Folder to make; ``runs/NAME``, or ``runs/NAME-2`` and so on, if omitted.
        seed: Seed of every random number.
        device: ``auto``, ``cpu`` or ``cuda``.
        root: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        say: Called with lines on how the graphs were read.

    Raises:
        SemveilError: If a file is damaged or refused, does not fit the images, its power is not one
            per symbol, or a setting does not fit. Nothing of a refused file is run.
    """
    files = [Path(each) for each in (encoder, decoder) if each is not None]
    for file in files:
        read_graph(file)
    levels = levels_of(snr_db, "snr_db")
    settings = recipes.override(
        recipes.update(Recipe(), {"data": {"name": data}}),
        changes,
        only={"data", "bob", "eve", "audit", "attack"},
    )
    splits = load_configured(settings.data, root, seed)
    name = name or files[0].stem
    folder = Path(out) if out else unused_folder(Path("runs") / name)
    if folder.exists():
        raise SemveilError(f"output folder {folder} exists already: name another")
    found = audit_graph(
        files[0],
        splits,
        settings,
        levels,
        decoder=files[1] if decoder is not None else None,
        name=name,
        fixed_gain=fixed_gain,
        normalise=normalise,
        equaliser=equaliser,
        seed=seed,
        device=device,
        progress=progress,
        say=say,
    )
    found.write(folder)
    found.report(folder / "report.html")
    return read_result(folder)


def cost(
    folder: str | Path,
    system: str | None = None,
    *,
    batch: int = 64,
    rounds: int = 8,
    data: Path | None = None,
    progress: Progress | None = None,
) -> list[Record]:
    """Measure what a trained link costs on one processor thread of this machine.

    Args:
        folder: Folder of a run, or name of a zoo entry.
        system: Which of its systems; the recipe's scheme if omitted.
        batch: Images of the batch for the throughput.
        rounds: Measurements of each time; six or more have an interval of 95 %.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Returns:
        Records of role ``system``: latency, throughput, memory, operations, weights, keystream,
        channel uses and overhead. Alice and Bob count together, without the channel.

    Raises:
        SemveilError: If there is no such link, or ``batch`` or ``rounds`` is not positive.

    Example:
        >>> found = cost("digits/deepjscc", batch=2, rounds=2)
        >>> {record.metric: record.value for record in found}["channel_uses"]
        16.0
    """
    if batch < 1 or rounds < 1:
        raise SemveilError(f"batch and rounds must be at least 1, not {batch} and {rounds}")
    link = load(folder, system, device="cpu", data=data)
    return link_costs(link, batch=batch, rounds=rounds, progress=progress)


def attack_run(
    folder: str | Path | None = None,
    changes: recipes.Changes = (),
    *,
    systems: Sequence[str] | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> Result:
    """Attack Bob in the systems of a trained run, and write the report.

    Args:
        folder: Folder of the run, or name of a zoo entry, which becomes a run as in
            :func:`audit_run`.
        changes: Settings of attacks to change, such as ``{"attack.names": ["pgd"]}``.
        systems: Labels of systems of the run; all if omitted.
        out: Folder to make; ``RUN/attacks``, or ``RUN/attacks-2`` and so on, if omitted.
        device: ``auto``, ``cpu`` or ``cuda``.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of interrupted attacks to resume, instead of a run.

    Raises:
        SemveilError: If the run is not trained, a system or a class is not there, or a setting
            does not fit.
    """
    if resume is not None:
        job = AttackRun.open(Path(resume), _hardware(device), data)
    elif folder is None:
        raise SemveilError("name the folder of a run, or a folder of interrupted attacks to resume")
    else:
        attacked = _unpacked(folder, device, 1, data)
        recipe = recipes.override(attacked.recipe, changes, only={"attack"})
        place = Path(out) if out else unused_folder(attacked.folder / "attacks")
        job = AttackRun.create(place, attacked, recipe.attack, list(systems or []) or None)
    with hold(job.folder), resumable(job.folder, "attack"):
        refuse_damage(job.folder)
        job.execute(progress)
        job.report()
    return read_result(job.folder)


def harden(
    folder: str | Path | Link,
    method: str = "semmixed",
    changes: recipes.Changes = (),
    *,
    out: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    data: Path | None = None,
    progress: Progress | None = None,
) -> Link:
    """Train the link of a run against attacks, as a new run.

    Args:
        folder: Folder of the trained run that it begins with, or a link of that run; or name of a
            zoo entry, which becomes a run as in :func:`audit_run`.
        method: A method of ``semveil list adversarial-training``.
        changes: Settings of ``harden`` and ``attack`` to change.
        out: Folder to make; ``RUN-METHOD`` if omitted.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Raises:
        SemveilError: If the run is not trained or already adversarially trained, or a setting
            does not fit.
    """
    TRAININGS.get(method, "method")
    if isinstance(folder, Link):
        if folder.run is None:
            raise SemveilError("this link is of no run: name the folder of a trained run")
        folder = folder.run.folder
    plain = _unpacked(folder, device, devices, data)
    chosen = recipes.update(plain.recipe, {"harden": {"method": method}})
    settings = recipes.override(chosen, changes, only={"harden", "attack"})
    place = Path(out) if out else unused_folder(_beside(plain.folder, method))
    new = start_hardening(plain, settings.model_dump(include={"harden", "attack"}), place)
    with hold(new.folder), resumable(new.folder, "train"):
        new.train(progress)
    return new.link()


def send(
    folder: str | Path,
    images: Sequence[str | Path],
    *,
    system: str | None = None,
    snr_db: float | None = None,
    seed: int = 0,
    picture: str | Path | None = None,
    device: str = "auto",
) -> Sent:
    """Send image files over a trained and audited link, and let the strongest Eve listen.

    Args:
        folder: Folder of the run.
        images: Image files; each is cropped to its central square and resized.
        system: Which of the run's systems; the recipe's scheme if omitted.
        snr_db: SNR of Bob and of Eve, dB; that of Bob's training if omitted.
        seed: Seed of fading and noise.
        picture: ``.png`` or ``.svg`` file to write: images as they were sent, as Bob and as Eve
            rebuilt them.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        What every party makes of every image.

    Raises:
        SemveilError: If the run is not trained or not audited, or a file is no image.
    """
    link = load(folder, system, device=device)
    sent = send_files(link, [Path(image) for image in images], snr_db, seed)
    if picture is not None:
        from semveil.report.figures import reconstruction_grid, save

        save(reconstruction_grid(sent.pictures(), columns=12), Path(picture))
    return sent


# The link that the demonstration begins with: Bob answers and rebuilds, and nothing protects it.
_SHOWN_FIRST = "digits/multitask"


def demo(
    links: Sequence[str | Path] = (),
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    device: str = "cpu",
    ready: Callable[[str], None] = print,
) -> None:
    """Serve a page on which a picture is sent over trained links, until it is interrupted.

    The page needs the extra ``demo``. It loads nothing from elsewhere, and whoever reaches the
    address can use it.

    Args:
        links: Zoo entries or folders of runs; the digits of the zoo if empty.
        host: Address to listen on.
        port: TCP port; the first free one from 7860 on if None.
        device: ``auto``, ``cpu`` or ``cuda``.
        ready: Called with the address of the page.

    Raises:
        SemveilError: If a link is unknown or damaged, the extra is not installed, or nobody can
            listen there.
    """
    names = [str(link) for link in links]
    if not names:
        names = [name for name in entries() if name.startswith("digits/")]
        names.sort(key=lambda name: name != _SHOWN_FIRST)
    studio = Studio(names, lambda name: load(name, device=device))
    for name in names if links else names[:1]:
        studio.link(name)
    serve(studio, host, port, ready)


def export(
    link: str | Path | Link,
    out: str | Path,
    *,
    system: str | None = None,
    int8: bool = True,
    data: Path | None = None,
    progress: Progress | None = None,
) -> ExportedLink:
    """Write both ends of a trained link as ONNX graphs, in float32 and in eight bits.

    The folder gets ``encoder.onnx`` (images → ``symbols``, real I/Q ``[B, 2, k]``),
    ``decoder.onnx``, the same in eight bits, ``reference.py`` with what stays outside of the
    graphs (power, keyed transform, OFDM) in numpy alone, and a card.

    Args:
        link: A link, folder of a trained run, or name of a zoo entry.
        out: Folder to make.
        system: Which of the run's systems; the recipe's scheme if omitted.
        int8: Whether to write the graphs in eight bits too, whose scales come from images of the
            run's data set.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Returns:
        The folder, and what its ``card.json`` states: differences from torch, sizes, shapes.

    Raises:
        SemveilError: If the link is no networks alone (a codec, noise or a perturbation for every
            message; the message says which), the extra ``export`` is not installed, or the folder
            exists.
    """
    if not isinstance(link, Link):
        link = load(link, system, device="cpu", data=data)
    elif system is not None:
        raise SemveilError("system: a link is one system already; name the folder of its run")
    if int8 and link.run is None:
        raise SemveilError("int8: this link is of no run, and has no images to calibrate with")
    return export_link(link, Path(out), int8=int8, progress=progress)


def transmit(
    images: Sequence[str | Path],
    link: str | Path,
    out: str | Path | None = None,
    *,
    system: str | None = None,
    key: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    datatype: str = "cf32_le",
    seed: int = 0,
    radio: str | None = None,
    frequency_hz: float | None = None,
    gain_db: float | None = None,
    device: str = "auto",
) -> Transmission:
    """Turn images into frames of a trained link: a SigMF recording, or a radio's transmission.

    Args:
        images: Image files, or folders of them; each is cropped to its central square and resized.
        link: Folder of a trained run, or name of a zoo entry.
        out: Recording to make, ``OUT.sigmf-data`` and ``OUT.sigmf-meta``; may be None with a radio.
        system: Which of the run's systems; the recipe's scheme if omitted.
        key: File with the session key of a keyed link, 32 bytes or 64 hexadecimal digits. The
            counters that were used are kept beside it. If None, the link's public research key.
        settings: Fields of :class:`~semveil.radio.frame.FrameFormat` to change, such as
            ``{"sample_rate": 2e6}``.
        datatype: ``cf32_le``, or ``ci16_le`` where a component of 1 is full scale.
        seed: Seed of Alice's own randomness, where she has any.
        radio: Arguments of a radio that sends the frames, as SoapySDR takes them.
        frequency_hz: Its centre frequency.
        gain_db: Its gain.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        SemveilError: If the link, a file or a setting does not fit, or the recording exists.
    """
    used = frame_format(settings or {})
    return air.transmit(
        load(link, system, device=device),
        [Path(image) for image in images],
        None if out is None else Path(out),
        used,
        None if key is None else Path(key),
        datatype,
        seed,
        None if radio is None else _radio(radio, used.sample_rate, frequency_hz, gain_db),
    )


def _radio(
    arguments: str, rate_hz: float, frequency_hz: float | None, gain_db: float | None
) -> Radio:
    if frequency_hz is None:
        raise SemveilError("frequency: required with a radio, in Hz")
    return Radio(arguments, rate_hz, frequency_hz, gain_db)


def apply_channel(
    recording: str | Path,
    out: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
) -> Path:
    """Write a recording as it leaves a channel and imperfect radios.

    Args:
        recording: The recording.
        out: Recording to make.
        changes: Fields of :class:`~semveil.radio.impairments.HardwareChannel`, such as
            ``{"snr_db": 10.0, "cfo_hz": 500.0}``.
        seed: Seed of taps, phase and noise.

    Returns:
        The path without suffix.

    Raises:
        SemveilError: If the recording is damaged, or a setting does not fit.
    """
    channel = HardwareChannel(**(changes or {}))
    return air.apply_channel(open_recording(recording), Path(out), channel, seed)


def receive(
    recording: str | Path | None,
    link: str | Path,
    *,
    system: str | None = None,
    key: str | Path | None = None,
    originals: Sequence[str | Path] = (),
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    datatype: str = "cf32_le",
    radio: str | None = None,
    frequency_hz: float | None = None,
    gain_db: float | None = None,
    seconds: float = 1.0,
    device: str = "auto",
) -> Listening:
    """Find the frames of a recording, and decode them to answers and pictures.

    Args:
        recording: The recording; ``-`` for samples from the standard input; None with a radio.
        link: Folder of a trained run, or name of a zoo entry.
        system: Which of the run's systems; the recipe's scheme if omitted.
        key: File with the session key, as for :func:`transmit`. The counters that were accepted
            are kept beside it, so that a replayed message is refused.
        originals: Images that were sent, in this order, for the PSNR.
        out: Folder to make for the pictures; ``RECORDING-received`` if omitted.
        settings: Fields of the frame format to change; those that the recording states if omitted.
        datatype: Data type of samples from the standard input.
        radio: Arguments of a radio to listen to, as SoapySDR takes them.
        frequency_hz: Its centre frequency.
        gain_db: Its gain.
        seconds: How long to listen to it.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        SemveilError: If the recording is damaged, there is no frame in it, or no frame can be
            decoded: it is of another link, key or version, or a replay.
    """
    heard = None
    if radio is not None:
        rate_hz = frame_format(settings or {}).sample_rate
        heard = (_radio(radio, rate_hz, frequency_hz, gain_db), seconds)
    path = None if recording is None else Path(recording)
    source = air.source_of(path, settings or {}, datatype, heard)
    return air.receive(
        load(link, system, device=device),
        source,
        [Path(original) for original in originals],
        None if out is None else Path(out),
        None if key is None else Path(key),
    )


def overhear(
    recording: str | Path,
    link: str | Path,
    *,
    system: str | None = None,
    originals: Sequence[str | Path] = (),
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    datatype: str = "cf32_le",
    device: str = "auto",
) -> list[Listening]:
    """Let the eavesdroppers whom an audit kept listen to a recording.

    Args:
        recording: What their antenna recorded; ``-`` for samples from the standard input.
        link: Folder of an audited run.
        system: Which of the run's systems; the recipe's scheme if omitted.
        originals: Images that were sent, in this order, for the PSNR.
        out: Folder to make for the pictures; ``RECORDING-overheard`` if omitted.
        settings: Fields of the frame format to change; those that the recording states if omitted.
        datatype: Data type of samples from the standard input.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        What each of them makes of the frames.

    Raises:
        SemveilError: If the recording is damaged or holds no frame of the link, or no eavesdropper
            was kept.
    """
    source = air.source_of(Path(recording), settings or {}, datatype)
    images = [Path(original) for original in originals]
    folder = None if out is None else Path(out)
    return air.overhear(load(link, system, device=device), source, images, folder)


def jam(
    recording: str | Path,
    link: str | Path,
    out: str | Path,
    attack: str = "jamming",
    psr_db: float = -10.0,
    *,
    system: str | None = None,
    synchronised: bool = True,
    changes: recipes.Changes = (),
    seed: int = 0,
    device: str = "auto",
    data: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, int]:
    """Add an attack to the frames of a recording, fitted on the link that sent them.

    Args:
        recording: The recording, best before noise is added to it.
        link: Folder of a trained run, or name of a zoo entry.
        out: Recording to make.
        attack: An attack of ``semveil list attacks``.
        psr_db: Energy of the perturbation over that of the frame's data blocks at the antenna, dB.
        system: Which of the run's systems; the recipe's scheme if omitted.
        synchronised: Whether it arrives with the frame's timing, phase and carrier; otherwise with
            a random shift, phase, carrier offset and multipath channel of its own.
        changes: Settings of attacks to change, such as ``{"attack.pgd.steps": 40}``.
        seed: Seed of every random number.
        device: ``auto``, ``cpu`` or ``cuda``.
        data: Folder of the data sets, on which attacks are fitted; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Returns:
        The path without suffix, and the number of frames that were attacked.

    Raises:
        SemveilError: If the recording holds no frame of the link, or the attack does not apply.
    """
    victim = load(link, system, device=device, data=data)
    assert victim.run is not None
    asked = recipes.override(victim.run.recipe, changes, only={"attack"})
    chosen = {"attack": {"names": [attack], "psr_db": [psr_db]}}
    settings = recipes.update(asked, chosen).attack
    source = open_recording(recording)
    return air.jam(victim, source, Path(out), settings, synchronised, seed, progress)


def inspect_recording(
    recording: str | Path,
    out: str | Path | None = None,
    link: str | Path | None = None,
    *,
    system: str | None = None,
    device: str = "auto",
) -> Path:
    """Write a self-contained page on a recording: spectrum, power, frames and symbols.

    Args:
        recording: The recording.
        out: ``.html`` file to write; ``RECORDING.html`` if omitted.
        link: Whose frames they should be: a run's folder or a zoo entry; any link's if omitted.
        system: Which of the run's systems; the recipe's scheme if omitted.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The page.

    Raises:
        SemveilError: If the recording is damaged or empty, or the page cannot be written.
    """
    from semveil.report.recording_page import write_recording_page

    source = open_recording(recording)
    page = source.base.with_name(f"{source.base.name}.html") if out is None else Path(out)
    wanted = None if link is None else load(link, system, device=device)
    write_recording_page(page, inspect_samples(source, stated_format(source), wanted))
    return page


def study(
    name: str | None = None,
    budget: str | None = None,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    devices: int = 1,
    workers: int | None = None,
    ray: str | None = None,
    cores_per_job: int | None = None,
    gpus_per_job: float | None = None,
    links: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> Result:
    """Run every job of a study of a paper, then write its figures and its page.

    Args:
        name: A study; see ``semveil list papers``.
        budget: ``smoke``, ``cpu`` or ``gpu``; ``cpu``, or that of the resumed folder, if omitted.
        out: Folder to make; ``runs/NAME-BUDGET`` or the next free one if omitted.
        seed: Seed of every random number.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        workers: Jobs at a time, each in a process of its own; one after the other if omitted.
        ray: Address of a Ray cluster that does the jobs.
        cores_per_job: Threads of a job; the same number gives the same last digits.
        gpus_per_job: GPUs of a job, or a part of one.
        links: Folder of trained links to take from and to add to.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of an interrupted study to resume, instead of a name.

    Raises:
        SemveilError: If the study is unknown, or settings, data or folder do not fit.
    """
    hardware, runner = _runner(device, devices, workers, ray, cores_per_job, gpus_per_job)
    if links is not None:
        require_folder(links)
    if resume is not None:
        folder = Path(resume)
        facts = execute.read_facts(folder)
        _require_budget(budget, facts["budget"], folder)
        with in_file(folder / FACTS):
            execute.check_budget(facts["budget"])
            paper = PAPERS.get(facts["study"])()
    elif name is None:
        raise SemveilError("name a study (see `semveil list`), or a folder to resume")
    else:
        paper, budget = PAPERS.get(name)(), budget or BUDGET
        execute.check(paper, budget, seed, hardware, data)
        folder = Path(out) if out else unused_folder(RUNS / f"{name}-{budget}")
        execute.start(folder, paper, budget, seed)
    options = resuming_options(
        device, devices, workers, ray, cores_per_job, gpus_per_job, links, data
    )
    with hold(folder), resumable(folder, "study", options):
        execute.execute(folder, paper, hardware, data, progress, runner, links)
    return read_result(folder)


def reproduce(
    only: Sequence[str] = (),
    budget: str | None = None,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    minutes: float | None = None,
    device: str = "auto",
    devices: int = 1,
    workers: int | None = None,
    ray: str | None = None,
    cores_per_job: int | None = None,
    gpus_per_job: float | None = None,
    links: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
    zoo: bool = True,
) -> tuple[Path, Manifest]:
    """Run every job of every study, the most important study first, and write their pages.

    A job that fails does not stop the others. ``manifest.json`` in the folder says of every job
    what became of it.

    Args:
        only: Studies; all if omitted.
        budget: ``smoke``, ``cpu`` or ``gpu``; ``cpu``, or that of the resumed folder, if omitted.
        out: Folder to make; ``runs/reproduce-BUDGET`` or the next free one if omitted.
        seed: Seed of every random number.
        minutes: After how many it stops, at the next step that a job reports. Jobs that it
            interrupts go on where they were when it is resumed.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        workers: Jobs at a time, each in a process of its own; one after the other if omitted.
        ray: Address of a Ray cluster that does the jobs.
        cores_per_job: Threads of a job; the same number gives the same last digits.
        gpus_per_job: GPUs of a job, or a part of one.
        links: Folder of trained links that all studies share; one in the folder if omitted.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of a reproduction to resume, instead of ``only`` and ``budget``. Jobs that
            failed are tried again, after the others.
        zoo: Take links that the zoo has, of the same recipe and seed, instead of training them;
            ``run.json`` then names the entry.

    Returns:
        The folder, and its manifest.

    Raises:
        SemveilError: If a study is unknown, or an option or the folder does not fit.
    """
    seconds = math.inf if minutes is None else 60 * minutes
    if not seconds >= 0:
        raise SemveilError(f"minutes: {minutes:g} is not 0 or more")
    hardware, runner = _runner(device, devices, workers, ray, cores_per_job, gpus_per_job)
    if links is not None:
        require_folder(links)
    if resume is not None:
        folder = Path(resume)
        _require_budget(budget, read_manifest(folder).budget, folder)
    else:
        papers, budget = reproduction.in_order(only), budget or BUDGET
        folder = Path(out) if out else unused_folder(RUNS / f"reproduce-{budget}")
        reproduction.start(folder, papers, budget, seed, links, zoo, data)
    options = resuming_options(
        device, devices, workers, ray, cores_per_job, gpus_per_job, links, data, zoo
    )
    with hold(folder), resumable(folder, "reproduce", options):
        going_on = reproduction.Reproduction(
            folder, hardware, runner, data, progress, links, seconds, zoo
        )
        return folder, going_on.run()


def resuming_options(
    device: str,
    devices: int,
    workers: int | None,
    ray: str | None,
    cores: int | None,
    gpus: float | None,
    links: Path | None,
    data: Path | None,
    zoo: bool = True,
) -> list[str]:
    """Return the options that a folder does not keep, for the command that goes on in it."""
    known = os.environ.get("SEMVEIL_DATA")
    given = {
        "--device": None if device == "auto" else device,
        "--devices": None if devices == 1 else devices,
        "--workers": workers,
        "--ray": ray,
        "--cores-per-job": cores,
        "--gpus-per-job": gpus,
        "--links": links,
        "--data": None if data is None or str(data) == known else data,
    }
    words = [word for option, value in given.items() if value for word in (option, f"{value}")]
    return words if zoo else [*words, "--no-zoo"]


def _require_budget(budget: str | None, begun: str, folder: Path) -> None:
    """Refuse a budget other than that with which the work in a folder was begun."""
    if budget not in (None, begun):
        raise SemveilError(f"budget: {folder} was begun with {begun}, not {budget}; leave it out")


def _runner(
    device: str,
    devices: int,
    workers: int | None,
    ray: str | None,
    cores: int | None,
    gpus: float | None,
) -> tuple[Hardware, Runner]:
    """Return what a study's jobs compute on, and who does them."""
    if workers is not None and ray:
        raise SemveilError("workers are processes of this machine, ray is a cluster: name one")
    if gpus is not None and workers is None and not ray:
        raise SemveilError("gpus_per_job shares GPUs out to workers or ray: name one")
    if gpus and device == "cpu":
        raise SemveilError("device cpu: its jobs have no use for gpus_per_job")
    if ray:
        from semveil.experiment.cluster import Cluster

        # The GPUs are the cluster's: this machine need not have one.
        if gpus is None:
            gpus = devices if device == "cuda" else 0
        kind = torch.device("cuda" if gpus else "cpu")
        hardware, cluster = (
            _counted(kind, devices),
            Cluster(ray, 1 if cores is None else cores, gpus),
        )
        cluster.check()
        return hardware, cluster
    hardware = _hardware(device, devices)
    if gpus is None:
        gpus = devices if workers and hardware.device.type == "cuda" else 0
    return hardware, Pool(workers, cores, gpus)


def available(kind: str | None = None) -> dict[str, dict[str, dict[str, str]]]:
    """Return everything that can be chosen by name.

    Args:
        kind: One kind, such as ``schemes`` or ``data sets``; all kinds if omitted.

    Returns:
        By kind and name: description, source, package that adds it, and what else it states.

    Raises:
        SemveilError: If there is no such kind.

    Example:
        >>> available("attacks")["attacks"]["pgd"]["package"]
        'semveil'
    """
    found = {
        "schemes": lambda: _entries(SCHEMES),
        "protections": lambda: _entries(PROTECTIONS),
        "attacks": lambda: _entries(ATTACKS, in_order()),
        "eavesdroppers": lambda: _entries(EAVESDROPPERS),
        "adversarial-training": lambda: _entries(TRAININGS),
        "metrics": lambda: _entries(METRICS),
        "datasets": lambda: _entries(DATASETS) | {"folder:PATH": {"description": IMAGE_FOLDER}},
        "recipes": recipes.overview,
        "papers": lambda: _entries(PAPERS),
    }
    if kind is None:
        return {each: entries() for each, entries in found.items()}
    spelt = _spelling(kind)
    known = {_spelling(each): each for each in found} | {"study": "papers"}
    if spelt not in known:
        raise unknown("kind", kind, list(found))
    return {known[spelt]: found[known[spelt]]()}


def _spelling(kind: str) -> str:
    """Return what all spellings of a kind have in common: ``data sets`` and ``Dataset``."""
    letters = "".join(letter for letter in kind.lower() if letter.isalpha())
    return "study" if letters == "studies" else letters.removesuffix("s")


def _entries(registry: Registry[Any], names: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Return what the classes of a registry say of themselves, and who registered them."""
    found = {}
    for name in names or sorted(registry.names()):
        package = registry.origin(name)
        try:
            found[name] = _statement(registry.get(name)) | {"package": package}
        except Exception as error:
            if package == OURS:
                raise
            refusal = of_plugin(error) or error
            text = f"{registry.kind} '{name}' of {package} cannot be listed: {refusal}"
            warnings.warn(" ".join(text.split()), SemveilWarning, stacklevel=2)
    return found


def _statement(kind: Any) -> dict[str, str]:
    if hasattr(kind, "statement"):
        statement: dict[str, str] = kind.statement()
        return statement
    return {"description": kind.description, "source": kind.source}


def _begin(
    name: str | Path | None,
    changes: recipes.Changes,
    out: str | Path | None,
    resume: str | Path | None,
    seed: int,
    reference: bool,
    device: str,
    devices: int,
    data: Path | None,
) -> Run:
    """Start a run, or open one to resume."""
    if resume is not None:
        return _open(resume, device, devices, data)
    if name is None:
        raise SemveilError("name a recipe (see `semveil list`), or a folder to resume")
    recipe: Recipe = recipes.load(str(name), changes)
    stem = Path(name).stem
    place = Path(out) if out else unused_folder(RUNS / stem)
    asked = requested(recipe)
    schemes = with_reference(asked) if reference else [asked]
    return Run.create(place, stem, recipe, schemes, seed, _hardware(device, devices), data)


def _open(folder: str | Path, device: str, devices: int, data: Path | None) -> Run:
    return Run.open(Path(folder), _hardware(device, devices), data)


def _unpacked(folder: str | Path, device: str, devices: int, data: Path | None) -> Run:
    """Open a run; an entry of the zoo becomes one under ``runs``."""
    entry = entry_at(folder)
    return _open(folder if entry is None else unpack(entry, RUNS), device, devices, data)


def _hardware(device: str, devices: int = 1) -> Hardware:
    return _counted(pick_device(device), devices)


def _counted(device: torch.device, devices: int) -> Hardware:
    require_count("devices", devices)
    return Hardware(device, devices)


def _audited(started: Run, progress: Progress | None, workers: int | None = None) -> Result:
    refuse_damage(started.folder)
    if workers is not None:
        started.begin_workers()
    started.audit(started.train(progress), progress, workers)
    started.report()
    return read_result(started.folder)


def _beside(folder: Path, note: str) -> Path:
    """Return the folder beside another, whatever dots the other was named by."""
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}-{note}")
