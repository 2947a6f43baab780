"""The standard suite of the leaderboard: fixed images, eavesdroppers, attacks, effort."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semveil import data
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.perturb.attack import Attack
from semveil.attacks import APGD, FGM, PGD, BlackBox, Jamming, MinimumPower, Relay, Transfer
from semveil.data.splits import Images, ImageSplits
from semveil.eavesdroppers import STANDARD_VERSION, LinearInference, standard
from semveil.errors import SemveilError, unknown
from semveil.evaluation.system import SystemUnderTest
from semveil.recipe import AttackConfig, AuditConfig

SUITE = f"1.{STANDARD_VERSION}"
"""Version of the suite, and behind the point that of the eavesdroppers in it."""
SEED = 0
"""Seed of every random number of a scoring."""
PSR_DB = -10.0
LISTED = 100
# Of the search without gradients on a link whose receiver decodes for long.
_FEW_QUERIES = 60

# By data set: SHA-256 of the first test images and their classes.
_LISTS = {
    "digits": "f426f55b38c6b37507b7aa660698e500ceed415acdb9bee99932ae40e2060da6",
    "mnist": "1726f5758bcabb2c0d41e78da8abfb721bda90922a42e97f5cdc1470922766b4",
    "cifar10": "f195ff3b605d3ee8f5b158682d64ea362a40100f5dc319d7bbcf75035e1a3d1c",
}


@dataclass(frozen=True)
class Suite:
    """Who attacks a system, and with what effort.

    Attributes:
        eavesdroppers: Fresh eavesdroppers.
        attacks: Attacks on Bob.
        audit: Effort of the eavesdroppers.
        attack: Budget and numbers of images of the attacks.
    """

    eavesdroppers: Sequence[Eavesdropper]
    attacks: Sequence[Attack]
    audit: AuditConfig
    attack: AttackConfig


def full(system: SystemUnderTest, images: int) -> Suite:
    """Return the standard suite for a system and a number of test images."""
    queries = BlackBox(queries=_FEW_QUERIES) if system.costly else BlackBox()
    attacks = [Jamming(), FGM(), PGD(), APGD(), MinimumPower(), queries, Transfer()]
    return Suite(
        standard(system.permutes),
        attacks + ([Relay()] if system.keyed else []),
        AuditConfig(max_epochs=15, rounds=2, images=images),
        AttackConfig(psr_db=[PSR_DB], images=images),
    )


def quick() -> Suite:
    """Return what a check measures again: Bob, one eavesdropper, one attack and its control."""
    effort = AuditConfig(max_epochs=15, rounds=2, images=LISTED)
    attack = AttackConfig(psr_db=[PSR_DB], images=LISTED)
    return Suite([LinearInference()], [Jamming(), FGM()], effort, attack)


def splits_of(name: str, root: Path | None = None) -> ImageSplits:
    """Return the images by which entries of a data set are scored.

    Raises:
        SemveilError: If the set has no list yet, its images are not on this machine, or they are
            not those of the list.
    """
    if name not in _LISTS:
        raise unknown("data set of the leaderboard", name, _LISTS)
    splits = data.load(name, root=root, seed=SEED)
    if digest_of(listed(splits).test) != _LISTS[name]:
        raise SemveilError(f"the test images of {name} are not those of the leaderboard's list")
    return splits


def list_digest(name: str) -> str:
    """Return the digest of the fixed list of a data set."""
    return _LISTS[name]


def listed(splits: ImageSplits) -> ImageSplits:
    """Return the same images with the fixed list, the first test images, as the test images."""
    return replace(splits, test=splits.test.take(range(min(LISTED, len(splits.test)))))


def digest_of(images: Images) -> str:
    """Return the SHA-256 of images and their classes."""
    found = hashlib.sha256(str(images.x.shape).encode())
    found.update(images.x.tobytes())
    found.update(images.y.astype("<i8").tobytes())
    return found.hexdigest()
