"""An entry's model, opened as a system under test and held to what the entry states."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from semveil.channel import channel_of
from semveil.data import DATASETS
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.experiment.link import Link
from semveil.experiment.training import Hardware
from semveil.leaderboard.entry import STATED, BoardEntry, LinkFacts, zoo_entry
from semveil.leaderboard.suite import SEED, splits_of
from semveil.recipe import ChannelConfig
from semveil.zoo.open import open_entry
from semveil.zoo.pack import refuse_files

STUDY = "leaderboard"
_LOWER_DB, _HIGHER_DB = -10.0, 10.0


@dataclass(frozen=True)
class Submission:
    """What is scored of a link or a defence.

    Attributes:
        link: The link.
        system: The same as audits and attacks see it, at unit power.
        splits: The images by which all entries of its data set are scored.
        conditions: Channel, SNRs and seed.
        parameters: Weights of Alice and Bob.
    """

    link: Link
    system: SystemUnderTest
    splits: ImageSplits
    conditions: Conditions
    parameters: int


def open_submission(entry: BoardEntry, root: Path | None = None) -> Submission:
    """Open the model of a link or a defence.

    Weights are read as those of the zoo are: safetensors into networks of this package. A model in
    another form needs no more than another function that returns the same.

    Args:
        entry: An entry whose files were checked.
        root: Folder of the data sets; ``SEMVEIL_DATA`` if None.

    Raises:
        SemveilError: If it is not what the entry states: data, channel, bandwidth, asymmetry; or it
            was trained on test images.
    """
    facts = entry.facts
    assert isinstance(facts, LinkFacts)
    where = entry.folder / STATED
    packed = zoo_entry(entry.folder, facts)
    if packed.facts.run.packages:
        raise SemveilError(
            f"{entry.folder}: made with the package {', '.join(packed.facts.run.packages)}; an "
            "entry is scored without code of others"
        )
    run = open_entry(packed, Hardware(torch.device("cpu")), root)
    refuse_files(run.recipe)
    _expect(where, "data", facts.data, run.recipe.data.name)
    if facts.data not in DATASETS:
        raise SemveilError(f"{where}: data: {facts.data} is no data set of semveil")
    splits, link = splits_of(facts.data, root), run.link()
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
    ratio = link.channel_uses / math.prod(link.image_shape)
    if not math.isclose(ratio, facts.bandwidth_ratio, rel_tol=1e-3):
        raise SemveilError(
            f"{where}: bandwidth_ratio: the link uses {ratio:.4g}, not {facts.bandwidth_ratio:g}"
        )
    _expect(where, "asymmetry", facts.asymmetry, link.asymmetry)
    channel = channel_of(law)
    conditions = Conditions(
        study=STUDY,
        bob=channel,
        eve=channel,
        train_snr_db=law.snr_db,
        bob_snrs_db=(facts.snr_db,),
        eve_snrs_db=(facts.snr_db + _LOWER_DB, facts.snr_db, facts.snr_db + _HIGHER_DB),
        seed=SEED,
    )
    # What a link declares as its power is not asked: all send one unit.
    system = replace(link.under_test(), total_power=1.0)
    return Submission(link, system, splits, conditions, _weights(link))


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
