"""What arXiv 2305.07220 says of training against attacks (section IV-F), and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from semveil.report.attack_rows import NONE
from semveil.report.figures.attacks import per_class
from semveil.report.select import name_of
from semveil.studies.attack_claims import PGD, PGM, SEMADV
from semveil.studies.attack_records import AttackedLink, gap, level, points
from semveil.studies.verdicts import STRONG, Claim, Finding, Judge, at_least, at_most
from semveil.studies.words import Value
from semveil.training import TRAININGS

PLAIN, MIXED, NOISE, AT_PGD = "plain", "semmixed", "noise", "at-pgd"
SPECIALISTS = {SEMADV: "at-semadv", PGM: "at-pgm"}
HARDENED = tuple(TRAININGS.names())
# "Near 100 %, comparable to the one without attacks" on MNIST, and "a 5 % gap" on CIFAR-10.
GAPS: Mapping[str, float] = {"mnist": 0.02}
GAP = 0.05
ALIKE = 0.02  # "comparable to the best one"
APART = 0.05  # "cannot effectively defend"
CLEAN = 0.01  # points of clean accuracy that training may cost
PAPER, ADAPTIVE = "paper", "adaptive"


@dataclass(frozen=True)
class Family:
    """One link of one set, plain and hardened.

    Attributes:
        dataset: The set.
        link: Its name without the training.
        members: By training; ``plain`` without one.
    """

    dataset: str
    link: str
    members: dict[str, AttackedLink]

    @property
    def gap(self) -> float:
        """How far below the plain link, undisturbed, a hardened one may be under attack."""
        return GAPS.get(self.dataset, GAP)

    def right(
        self, training: str, attack: str, psr_db: float, protocol: str = ADAPTIVE
    ) -> Value | None:
        """Return Bob's accuracy; SemAdv aims at every image's own class in turn.

        Generators made for the plain link are, on it, those made for this very link.
        """
        if training not in self.members:
            return None
        made = ADAPTIVE if training == PLAIN else protocol
        return self.members[training].at(attack, "hit", psr_db, made)

    def clean(self, training: str) -> Value | None:
        """Return Bob's accuracy when nobody disturbs."""
        return self.right(training, NONE, 0.0)


def families(found: Sequence[AttackedLink]) -> list[Family]:
    """Return the links, each with its hardened forms, in the order of the trainings."""
    known: dict[tuple[str, str], dict[str, AttackedLink]] = {}
    for victim in found:
        name = name_of(next(iter(victim.rows.values())).table.iloc[0])
        link = replace(name, training=None).label
        known.setdefault((victim.dataset, link), {})[name.training or PLAIN] = victim
    order = (PLAIN, *HARDENED)
    return [
        Family(dataset, link, {name: members[name] for name in order if name in members})
        for (dataset, link), members in known.items()
    ]


def claims(found: Sequence[Family]) -> list[Claim]:
    """Judge every claim.

    Args:
        found: Links with their hardened forms.
    """
    members = [victim for family in found for victim in family.members.values()]
    levels = sorted({psr_db for victim in members for psr_db in victim.budgets})

    def on(
        title: str, about: str, heads: tuple[str, ...], cases: Iterator[tuple[Names, Judge]]
    ) -> Claim:
        return Claim.judged(title, about, ("set", "link", *heads), levels, cases)

    both = (SEMADV, PGM)
    protocols = (PAPER, ADAPTIVE)
    return [
        on(
            "Under attack a link trained with SemMixed is almost as good as without attacks",
            f"Taken as: at most {100 * GAPS['mnist']:.0f} points on MNIST and {100 * GAP:.0f} "
            "elsewhere below the plain link that nobody disturbs. Points below it; generators as "
            "the paper made them (for the plain link) and made anew for the hardened one.",
            ("attack", "generator"),
            _cases(found, restored, both, protocols),
        ),
        on(
            "SemMixed is as good as the specialist, under both attacks",
            f"Taken as: at most {100 * ALIKE:.0f} points below the link trained against that "
            "attack alone.",
            ("attack", "generator"),
            _cases(found, comparable, both, protocols),
        ),
        on(
            "A specialist does not cover the other's attack",
            f"Taken as: at least {100 * APART:.0f} points below the link trained against it.",
            ("attack", "generator"),
            _cases(found, uncovered, both, protocols),
        ),
        on(
            "Training against attacks restores images as well",
            "PSNR under the attack, SemMixed minus plain, dB.",
            ("attack", "generator"),
            _cases(found, restored_images, both, protocols),
        ),
        on(
            "SemMixed is more even over the classes than the specialists",
            "Taken as: its worst class is better than theirs, under the attack that each was not "
            "trained against alone. Points between the worst classes, of which chance picks each.",
            ("attack", "generator"),
            _cases(found, even, both, protocols),
        ),
        on(
            "A generator made for the plain link shows less than one made for the hardened (ours)",
            "Points of accuracy left by the paper's generators, less those left by fresh ones.",
            ("training", "attack"),
            _cases(found, underrated, HARDENED, both),
        ),
        on(
            "Training costs no clean accuracy (ours)",
            f"Taken as: at most {100 * CLEAN:.0f} point below the plain link when nobody disturbs. "
            "Points below it; the same at every PSR.",
            ("training",),
            _cases(found, costless, HARDENED),
        ),
        on(
            "Robustness against generators carries over to PGD (ours)",
            f"Taken as: PGD takes at most {100 * STRONG:.0f} points. Points that it takes; beside "
            "them what it takes from the link trained against PGD itself.",
            ("training",),
            _cases(found, carried_over, (*SPECIALISTS.values(), MIXED)),
        ),
        on(
            "SemMixed helps against attacks that it never saw (ours)",
            "Points of accuracy above the plain link.",
            ("attack",),
            _cases(found, helped, ("jamming", "fgm", PGD, "uap", "transfer", "blackbox")),
        ),
        on(
            "SemMixed does more than noise of the same power in training (ours)",
            "Points of accuracy above the link trained with noise.",
            ("attack",),
            _cases(found, beyond_noise, both),
        ),
    ]


Names = tuple[str, ...]


def _cases(
    found: Sequence[Family],
    judge: Callable[..., Finding | None],
    *choices: Sequence[str],
) -> Iterator[tuple[Names, Judge]]:
    for family, names in product(found, product(*choices)):
        case = (family.dataset, f"`{family.link}`", *names)
        yield case, partial(judge, family, *names)


def _other(attack: str) -> str:
    """The specialist of the other attack."""
    return SPECIALISTS[PGM if attack == SEMADV else SEMADV]


def restored(family: Family, attack: str, protocol: str, psr_db: float) -> Finding | None:
    """Judge that SemMixed under attack is close to the plain link without."""
    below = gap(family.clean(PLAIN), family.right(MIXED, attack, psr_db, protocol))
    return None if below is None else Finding(at_most(below, family.gap), points(below))


def comparable(family: Family, attack: str, protocol: str, psr_db: float) -> Finding | None:
    """Judge that SemMixed is close to the specialist of an attack."""
    best = family.right(SPECIALISTS[attack], attack, psr_db, protocol)
    below = gap(best, family.right(MIXED, attack, psr_db, protocol))
    return None if below is None else Finding(at_most(below, ALIKE), points(below))


def uncovered(family: Family, attack: str, protocol: str, psr_db: float) -> Finding | None:
    """Judge that the other attack's specialist is far below that of an attack."""
    best = family.right(SPECIALISTS[attack], attack, psr_db, protocol)
    below = gap(best, family.right(_other(attack), attack, psr_db, protocol))
    return (
        None
        if below is None
        else Finding(at_least(below, APART), f"{_other(attack)} {points(below)}")
    )


def restored_images(family: Family, attack: str, protocol: str, psr_db: float) -> Finding | None:
    """Judge that SemMixed raises the PSNR under an attack."""
    mixed, plain = family.members.get(MIXED), family.members.get(PLAIN)
    if not (mixed and plain):
        return None
    better = gap(mixed.at(attack, "psnr_db", psr_db, protocol), plain.at(attack, "psnr_db", psr_db))
    return None if better is None else Finding(at_least(better, 0.0), f"{level(better, 2)} dB")


def _worst(
    family: Family, training: str, attack: str, psr_db: float, protocol: str
) -> Value | None:
    member = family.members.get(training)
    row = member.rows.get((attack, protocol)) if member else None
    found = per_class(row, "accuracy", psr_db) if row else {}
    worst = min(found.values(), key=lambda measure: measure.value, default=None)
    return worst and Value(worst.value, worst.low, worst.high)


def even(family: Family, attack: str, protocol: str, psr_db: float) -> Finding | None:
    """Judge that the worst class under an attack is better than the other attack's specialist's."""
    mixed = _worst(family, MIXED, attack, psr_db, protocol)
    better = gap(mixed, _worst(family, _other(attack), attack, psr_db, protocol))
    return (
        None
        if better is None
        else Finding(at_least(better, 0.0), f"than {_other(attack)} {points(better)}")
    )


def underrated(family: Family, training: str, attack: str, psr_db: float) -> Finding | None:
    """Judge that a fresh generator is stronger than one made for the plain link."""
    old = family.right(training, attack, psr_db, PAPER)
    more = gap(old, family.right(training, attack, psr_db, ADAPTIVE))
    return None if more is None else Finding(at_least(more, 0.0), points(more))


def costless(family: Family, training: str, psr_db: float) -> Finding | None:
    """Judge that a training costs no clean accuracy."""
    below = gap(family.clean(PLAIN), family.clean(training))
    return None if below is None else Finding(at_most(below, CLEAN), points(below))


def carried_over(family: Family, training: str, psr_db: float) -> Finding | None:
    """Judge that PGD takes little from a link that was trained against generators."""
    taken = gap(family.clean(training), family.right(training, PGD, psr_db))
    if taken is None:
        return None
    own = gap(family.clean(AT_PGD), family.right(AT_PGD, PGD, psr_db))
    return Finding(
        at_most(taken, STRONG), points(taken) + (f"; at-pgd {points(own)}" if own else "")
    )


def helped(family: Family, attack: str, psr_db: float) -> Finding | None:
    """Judge that SemMixed does better than the plain link under an attack."""
    better = gap(family.right(MIXED, attack, psr_db), family.right(PLAIN, attack, psr_db))
    return None if better is None else Finding(at_least(better, 0.0), points(better))


def beyond_noise(family: Family, attack: str, psr_db: float) -> Finding | None:
    """Judge that SemMixed does better than training with noise."""
    better = gap(family.right(MIXED, attack, psr_db), family.right(NOISE, attack, psr_db))
    return None if better is None else Finding(at_least(better, 0.0), points(better))
