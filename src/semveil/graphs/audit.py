"""``semveil audit encoder.onnx``: audit, and attack, a model that was trained elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median_low

import torch

from semveil.adversary.perturb.attack import chosen
from semveil.channel import channel_of
from semveil.data.splits import ImageSplits
from semveil.device import pick_device
from semveil.evaluation.api import audit
from semveil.evaluation.attack_api import attack
from semveil.experiment.evaluate import joined
from semveil.graphs.foreign import Equaliser, ForeignDecoder, ForeignEncoder
from semveil.link import as_float
from semveil.recipe import Recipe
from semveil.result import Result
from semveil.rng import generator

_TRIED = 16

Progress = Callable[[str, int, int], None]


def audit_graph(
    encoder: Path,
    splits: ImageSplits,
    settings: Recipe,
    snr_db: tuple[float, ...],
    *,
    decoder: Path | None = None,
    name: str = "mine",
    fixed_gain: bool = False,
    normalise: bool = False,
    equaliser: Equaliser = "mmse",
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Result:
    """Audit an encoder, and attack its decoder.

    Args:
        encoder: ONNX file, images → symbols.
        splits: The images.
        settings: Channels, effort and attacks; see :class:`~semveil.recipe.Recipe`.
        snr_db: SNRs of Bob and of Eve, dB; attacks meet Bob at the middle one, unless the settings
            name another.
        decoder: ONNX file, symbols → logits, images or both.
        name: Name in the records.
        fixed_gain: Whether the power is one on average only.
        normalise: Whether to scale every image's waveform to unit power.
        equaliser: What Bob does before his decoder; see
            :class:`~semveil.graphs.foreign.ForeignDecoder`.
        seed: Seed of every stream.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: Called with stage, steps done, steps in all.
        say: Called with a line on how each graph was read.

    Raises:
        SemveilError: If a file is refused, does not fit the images, or is not admitted.
    """
    place = pick_device(device)
    # A wrong name ends it before an eavesdropper is trained.
    attacks = chosen(settings.attack)
    shown = as_float(torch.from_numpy(splits.test.x[:_TRIED])).to(place)
    alice = ForeignEncoder(encoder, shown, normalise=normalise)
    say = say or _silent
    say(f"{encoder.name}: {alice.symbols} symbols per image, {alice.form}")
    channel, eve_channel = channel_of(settings.bob), channel_of(settings.eve)
    bob = None
    if decoder is not None:
        source = generator(seed, "graph", device=place)
        sent = alice(shown, source)
        heard = channel(sent, snr_db[0], generator=source)
        bob = ForeignDecoder(decoder, alice, heard, splits.n_classes, splits.image_shape, equaliser)
        gradients = (
            "attacks have its gradient, through torch"
            if bob.runner.network is not None
            else f"no gradient ({bob.runner.why}): attacks that need one are left out"
        )
        say(f"{decoder.name}: {gradients}")
    found = audit(
        alice,
        splits,
        receive=bob,
        channel=channel,
        eve_channel=eve_channel,
        bob_snr_db=snr_db,
        eve_snr_db=snr_db,
        settings=settings.audit,
        fixed_gain=fixed_gain,
        scheme=name,
        seed=seed,
        device=device,
        progress=progress,
        quiet=True,
    )
    if bob is None:
        return found
    level = settings.attack.snr_db
    level = median_low(snr_db) if level is None else level
    attacked = attack(
        alice,
        bob,
        splits,
        attacks=attacks,
        channel=channel,
        snr_db=level,
        settings=settings.attack.model_copy(update={"snr_db": level}),
        differentiable=bob.runner.network is not None,
        fixed_gain=fixed_gain,
        scheme=name,
        seed=seed,
        device=device,
        progress=progress,
    )
    records = joined([found.records, attacked.records])
    return Result(records, found.samples | attacked.samples, classes=splits.classes)


def _silent(line: str) -> None:
    pass
