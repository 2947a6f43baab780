"""An entry's model, opened as a system under test and held to what the entry states."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch

from semveil.adversary.eavesdrop.observations import numbered
from semveil.channel import Channel, channel_of
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError, unknown
from semveil.evaluation.answer_checks import checked_receiver
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.experiment.link import Link
from semveil.experiment.training import Hardware
from semveil.graphs.foreign import ForeignDecoder, ForeignEncoder
from semveil.leaderboard.entry import (
    DECODER,
    ENCODER,
    MODEL,
    STATED,
    BoardEntry,
    GraphFiles,
    LinkFacts,
    ModelFile,
    zoo_entry,
)
from semveil.leaderboard.suite import SEED, splits_of
from semveil.link import as_float
from semveil.recipe import ChannelConfig
from semveil.records import SystemName
from semveil.rng import generator
from semveil.zoo.open import open_entry
from semveil.zoo.pack import refuse_files

STUDY = "leaderboard"
_LOWER_DB, _HIGHER_DB = -10.0, 10.0
_TRIED = 16
_FLOATS = (1, 10, 11, 16)  # float32, float16, float64, bfloat16 of ONNX


@dataclass(frozen=True)
class Submission:
    """What is scored of a link or a defence.

    Attributes:
        system: The system as audits and attacks see it, at unit power.
        splits: The images by which all entries of its data set are scored.
        conditions: Channel, SNRs and seed.
        channel_uses: Symbols per image.
        parameters: Weights of Alice and Bob.
        with_key: The same system under another key of 32 bytes; None where there is no key.
    """

    system: SystemUnderTest
    splits: ImageSplits
    conditions: Conditions
    channel_uses: int
    parameters: int
    with_key: Callable[[bytes], SystemUnderTest] | None = None


def open_submission(entry: BoardEntry, root: Path | None = None) -> Submission:
    """Open the model of a link or a defence: weights as the zoo packs them, or graphs in ONNX.

    Args:
        entry: An entry whose files were checked.
        root: Folder of the data sets; ``SEMVEIL_DATA`` if None.

    Raises:
        SemveilError: If it is not what the entry states: data, channel, bandwidth, asymmetry; or it
            was trained on test images.
    """
    facts, where = entry.facts, entry.folder / STATED
    assert isinstance(facts, LinkFacts)
    splits = splits_of(facts.data, root)
    if isinstance(facts.model, GraphFiles):
        found = _of_graphs(entry.folder / MODEL, facts, splits)
    else:
        found = _of_link(entry.folder, facts, facts.model, splits, root)
    ratio = found.channel_uses / math.prod(splits.image_shape)
    if not math.isclose(ratio, facts.bandwidth_ratio, rel_tol=1e-3):
        raise SemveilError(
            f"{where}: bandwidth_ratio: the link uses {ratio:.4g}, not {facts.bandwidth_ratio:g}"
        )
    return found


def _of_link(
    folder: Path, facts: LinkFacts, model: ModelFile, splits: ImageSplits, root: Path | None
) -> Submission:
    where, packed = folder / STATED, zoo_entry(folder, model)
    if packed.facts.run.packages:
        raise SemveilError(
            f"{folder}: made with the package {', '.join(packed.facts.run.packages)}; an entry is "
            "scored without code of others"
        )
    run = open_entry(packed, Hardware(torch.device("cpu")), root)
    refuse_files(run.recipe)
    _expect(where, "data", facts.data, run.recipe.data.name)
    link = run.link()
    link.network.requires_grad_(False)
    _refuse_known_images(where, run.splits, splits)
    if (link.image_shape, link.classes) != (splits.image_shape, splits.n_classes):
        raise SemveilError(f"{where}: data: the link is of other images or classes")
    _expect(where, "channel", facts.channel, link.channel.name)
    law = run.recipe.bob
    if law != ChannelConfig(snr_db=law.snr_db, fading=law.fading, csi=law.csi):
        raise SemveilError(
            f"{where}: channel: the link's {facts.channel} is not the leaderboard's: pilots, "
            "K-factor and OFDM are those of the recipes' defaults"
        )
    _expect(where, "asymmetry", facts.asymmetry, link.asymmetry)

    def system(link: Link) -> SystemUnderTest:
        # What a link declares as its power is not asked: all send one unit.
        return replace(link.under_test(), total_power=1.0)

    return Submission(
        system(link),
        splits,
        _conditions(facts, channel_of(law), law.snr_db),
        link.channel_uses,
        _weights(link),
        (lambda key: system(link.with_key(key))) if link.keyed else None,
    )


def _of_graphs(folder: Path, facts: LinkFacts, splits: ImageSplits) -> Submission:
    where = folder.parent / STATED
    if facts.asymmetry == "key":
        raise SemveilError(f"{where}: asymmetry: graphs are scored without a key")
    laws = [
        ChannelConfig(fading=fading, csi=csi)
        for fading in get_args(ChannelConfig.model_fields["fading"].annotation)
        for csi in get_args(ChannelConfig.model_fields["csi"].annotation)
    ]
    channels = {channel.name: channel for channel in map(channel_of, laws)}
    if facts.channel not in channels:
        raise SemveilError(f"{where}: channel: {unknown('channel', facts.channel, channels)}")
    channel = channels[facts.channel]
    shown = as_float(torch.from_numpy(splits.test.x[:_TRIED]))
    alice, source = ForeignEncoder(folder / ENCODER, shown), generator(SEED, "graph")
    heard = channel(alice(shown, source), facts.snr_db, generator=source)
    decoder = ForeignDecoder(folder / DECODER, alice, heard, splits.n_classes, splits.image_shape)
    differentiable = decoder.runner.network is not None
    bob = checked_receiver(decoder, splits.n_classes, splits.image_shape, differentiable)
    system = SystemUnderTest(
        SystemName(facts.name),
        numbered(alice),
        lambda reception, _: bob(reception),
        asymmetry=facts.asymmetry,
        fixed_gain="uneven_power" in facts.flags,
        differentiable=differentiable,
    )
    graphs = [end.runner.file.model.graph for end in (alice, decoder)]
    tensors = [each for graph in graphs for each in graph.initializer]
    weights = sum(math.prod(each.dims) for each in tensors if each.data_type in _FLOATS)
    conditions = _conditions(facts, channel, None)
    return Submission(system, splits, conditions, alice.symbols, weights)


def _conditions(facts: LinkFacts, channel: Channel, train_snr_db: float | None) -> Conditions:
    return Conditions(
        study=STUDY,
        bob=channel,
        eve=channel,
        train_snr_db=train_snr_db,
        bob_snrs_db=(facts.snr_db,),
        eve_snrs_db=(facts.snr_db + _LOWER_DB, facts.snr_db, facts.snr_db + _HIGHER_DB),
        seed=SEED,
    )


def _weights(link: Link) -> int:
    own = sum(each.numel() for each in link.network.parameters())
    return own + (0 if link.layer is None else sum(e.numel() for e in link.layer.parameters()))


def _expect(where: Path, key: str, stated: object, found: object) -> None:
    if stated != found:
        raise SemveilError(f"{where}: {key}: {stated} is stated, and the model is of {found}")


def _refuse_known_images(where: Path, trained: ImageSplits, scored: ImageSplits) -> None:
    known = {image.tobytes() for image in trained.system.x}
    seen = sum(image.tobytes() in known for image in scored.test.x)
    if seen:
        raise SemveilError(
            f"{where}: data: {seen} of the test images are among those that the link was trained "
            f"on: train it with seed {SEED}"
        )
