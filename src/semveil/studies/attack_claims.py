"""What arXiv 2305.07220 says of attacks (section IV-E), and ours, judged by records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from semveil.studies.attack_records import AttackedLink, gap, level, points
from semveil.studies.verdicts import (
    HIGH,
    LITTLE,
    SAME_DB,
    SAME_SSIM,
    SHARP_DB,
    SHARP_SSIM,
    STRONG,
    Claim,
    Finding,
    Judge,
    all_of,
    at_least,
    at_most,
)
from semveil.studies.words import Value

SEMADV, JAMMING, PGD, PGM, UAP = "semadv", "jamming", "pgd", "pgm", "uap"
AGNOSTIC = (UAP, PGM, SEMADV)
# One answer for everything: so much of its class is right, and so little of the others.
ONE_CLASS, OTHER_CLASSES = 0.8, 0.2
LINK, ATTACKS = ("set", "link"), ("set", "link", "attack")


def claims(aimed: Sequence[AttackedLink], misled: Sequence[AttackedLink]) -> list[Claim]:
    """Judge every claim.

    Args:
        aimed: Links under attacks that aim at one class.
        misled: Links under attacks that want one answer.
    """
    levels = sorted({psr_db for victim in aimed for psr_db in victim.budgets})
    steps = sorted({psr_db for victim in misled for psr_db in victim.budgets})
    return [
        Claim.judged(
            "Attacks are more destructive than jamming",
            "Points of accuracy that jamming of the same energy leaves and the attack does not; "
            "for SemAdv, of the class aimed at.",
            ATTACKS,
            levels,
            on_attacks(aimed, destructive),
        ),
        Claim.judged(
            "SemAdv hurts the class aimed at and spares the others",
            f"Taken as: it costs that class at least {100 * STRONG:.0f} points and all others "
            f"together at most {100 * LITTLE:.0f}. Points lost by that class, and by the others; "
            "beside them what jamming costs that class.",
            LINK,
            levels,
            on_links(aimed, selective),
        ),
        Claim.judged(
            "SemAdv hardly changes PSNR and SSIM",
            f"Taken as: at most {SAME_DB:g} dB and {SAME_SSIM:g} lost on images of the class aimed "
            "at.",
            LINK,
            levels,
            on_links(aimed, faint),
        ),
        Claim.judged(
            "Under PGD, PGM and jamming PSNR and SSIM fall sharply",
            f"Taken as: at least {SHARP_DB:g} dB and {SHARP_SSIM:g} lost, over all images.",
            ATTACKS,
            levels,
            on_attacks(aimed, sharp, (PGD, PGM, JAMMING)),
        ),
        Claim.judged(
            "SemAdv is harder to see than noise of its own energy (ours)",
            "The comparison that the paper leaves out, at equal PSR and on the same class: PSNR "
            "under SemAdv minus PSNR under jamming, dB.",
            LINK,
            levels,
            on_links(aimed, unseen),
        ),
        Claim.judged(
            "PGM makes Bob answer one class for everything",
            f"Taken as: of one class at least {100 * ONE_CLASS:.0f} % are right, of all others on "
            f"average at most {100 * OTHER_CLASSES:.0f} %. The records say what is right, not what "
            "is answered.",
            LINK,
            levels,
            on_links(aimed, one_answer),
        ),
        Claim.judged(
            "SemAdv can make Bob answer a chosen class",
            f"Taken as: for at least {100 * HIGH:.0f} % of the images of other classes. Beside it "
            "the rate under jamming.",
            LINK,
            steps,
            on_links(misled, misleading),
        ),
        Claim.judged(
            "The misleading rate grows with the PSR",
            "Points from the lowest budget to the one named.",
            LINK,
            steps[1:],
            on_links(misled, growing),
        ),
        Claim.judged(
            "One perturbation for all images achieves less than one for each (ours)",
            "Points of accuracy that an attack which knows no image leaves, less what PGD leaves.",
            ATTACKS,
            levels,
            on_attacks(aimed, agnostic, AGNOSTIC),
        ),
        Claim.judged(
            "A universal perturbation does more than noise (ours)",
            "Points that it takes beyond jamming; beside them those that PGD takes.",
            LINK,
            levels,
            on_links(aimed, universal),
        ),
    ]


def on_links(
    found: Iterable[AttackedLink], judge: Callable[[AttackedLink, float], Finding | None]
) -> Iterator[tuple[tuple[str, ...], Judge]]:
    """Yield one case per link, with the words of `LINK`."""
    for victim in found:
        yield (victim.dataset, f"`{victim.name}`"), partial(judge, victim)


def on_attacks(
    found: Iterable[AttackedLink],
    judge: Callable[[AttackedLink, str, float], Finding | None],
    attacks: Sequence[str] | None = None,
) -> Iterator[tuple[tuple[str, ...], Judge]]:
    """Yield one case per link and attack, with the words of `ATTACKS`."""
    for victim in found:
        for name in attacks or victim.attacks:
            case = (victim.dataset, f"`{victim.name}`", name)
            yield case, partial(judge, victim, name)


def _struck(victim: AttackedLink, attack: str) -> str:
    """The accuracy that counts: SemAdv spares all classes but the one that it aims at."""
    return "accuracy_targeted" if attack == SEMADV and victim.aim else "hit"


def _of_target(victim: AttackedLink, metric: str) -> str:
    """The metric on images of the class aimed at; on all if there is none."""
    words = (victim.aim or "").split()
    return f"{metric}_class_{words[1]}" if words[:1] == ["class"] else metric


def destructive(victim: AttackedLink, attack: str, psr_db: float) -> Finding | None:
    """Judge that an attack costs more than jamming."""
    if attack == JAMMING:
        return None
    metric = _struck(victim, attack)
    more = gap(victim.at(JAMMING, metric, psr_db), victim.at(attack, metric, psr_db))
    return None if more is None else Finding(at_least(more, 0.0), points(more))


def selective(victim: AttackedLink, psr_db: float) -> Finding | None:
    """Judge that SemAdv costs the class aimed at much and the others little."""
    target = victim.lost(SEMADV, "accuracy_targeted", psr_db)
    others = victim.lost(SEMADV, "accuracy_others", psr_db)
    if not (target and others):
        return None
    noise = victim.lost(JAMMING, "accuracy_targeted", psr_db)
    beside = f"; jamming {points(noise)}" if noise else ""
    verdict = all_of([at_least(target, STRONG), at_most(others, LITTLE)])
    return Finding(verdict, f"{points(target)} and {points(others)}{beside}")


def faint(victim: AttackedLink, psr_db: float) -> Finding | None:
    """Judge that SemAdv costs little of PSNR and SSIM."""
    psnr = victim.lost(SEMADV, _of_target(victim, "psnr_db"), psr_db)
    ssim = victim.lost(SEMADV, _of_target(victim, "ssim"), psr_db)
    if not (psnr and ssim):
        return None
    verdict = all_of([at_most(psnr, SAME_DB), at_most(ssim, SAME_SSIM)])
    return Finding(verdict, f"{level(psnr, 2)} dB, SSIM {level(ssim, 3)}")


def sharp(victim: AttackedLink, attack: str, psr_db: float) -> Finding | None:
    """Judge that an attack costs much of PSNR and SSIM."""
    psnr, ssim = victim.lost(attack, "psnr_db", psr_db), victim.lost(attack, "ssim", psr_db)
    if not (psnr and ssim):
        return None
    verdict = all_of([at_least(psnr, SHARP_DB), at_least(ssim, SHARP_SSIM)])
    return Finding(verdict, f"{level(psnr, 2)} dB, SSIM {level(ssim, 3)}")


def unseen(victim: AttackedLink, psr_db: float) -> Finding | None:
    """Judge that images under SemAdv are better than under jamming."""
    metric = _of_target(victim, "psnr_db")
    better = gap(victim.at(SEMADV, metric, psr_db), victim.at(JAMMING, metric, psr_db))
    return None if better is None else Finding(at_least(better, 0.0), f"{level(better, 2)} dB")


def one_answer(victim: AttackedLink, psr_db: float) -> Finding | None:
    """Judge that under PGM one class alone is right."""
    start = "accuracy_class_"
    row = victim.rows.get((PGM, "adaptive"))
    names = [] if row is None else sorted({n for n in row.table["metric"] if n.startswith(start)})
    found = {name: victim.at(PGM, name, psr_db) for name in names}
    known = {name: right for name, right in found.items() if right}
    if len(known) < 2:
        return None
    best = max(known, key=lambda name: known[name].value)
    others = mean([right for name, right in known.items() if name != best])
    verdict = all_of([at_least(known[best], ONE_CLASS), at_most(others, OTHER_CLASSES)])
    words = f"class {best.removeprefix(start)} {known[best].percent()} %, others {others.percent()}"
    return Finding(verdict, f"{words} %")


def mean(figures: Sequence[Value]) -> Value:
    """Return the mean of independent figures with its interval.

    Example:
        >>> mean([Value(0.25, 0.1, 0.3), Value(0.5, 0.3, 0.5)]).value
        0.375
    """
    n = len(figures)
    value = sum(figure.value for figure in figures) / n
    down = sum((figure.value - figure.low) ** 2 for figure in figures) ** 0.5 / n
    up = sum((figure.high - figure.value) ** 2 for figure in figures) ** 0.5 / n
    return Value(value, value - down, value + up)


def misleading(victim: AttackedLink, psr_db: float) -> Finding | None:
    """Judge that SemAdv makes Bob answer the chosen class often."""
    rate = victim.at(SEMADV, "misleading_rate", psr_db)
    if rate is None:
        return None
    noise = victim.at(JAMMING, "misleading_rate", psr_db)
    beside = f"; jamming {noise.percent()} %" if noise else ""
    return Finding(at_least(rate, HIGH), f"{rate.percent()} %{beside}")


def growing(victim: AttackedLink, psr_db: float) -> Finding | None:
    """Judge that the misleading rate is above that of the lowest budget."""
    metric = "misleading_rate"
    least = victim.at(SEMADV, metric, victim.budgets[0])
    more = gap(victim.at(SEMADV, metric, psr_db), least)
    return None if more is None else Finding(at_least(more, 0.0), points(more))


def agnostic(victim: AttackedLink, attack: str, psr_db: float) -> Finding | None:
    """Judge that an attack which does not know the image takes less accuracy than PGD."""
    metric = _struck(victim, attack)
    left = victim.at(attack, metric, psr_db)
    less = gap(left, victim.at(PGD, metric, psr_db))
    return None if less is None else Finding(at_least(less, 0.0), points(less))


def universal(victim: AttackedLink, psr_db: float) -> Finding | None:
    """Judge that the universal perturbation costs more than jamming, beside what PGD costs."""
    noise = victim.at(JAMMING, "accuracy", psr_db)
    more = gap(noise, victim.at(UAP, "accuracy", psr_db))
    if more is None:
        return None
    most = gap(noise, victim.at(PGD, "accuracy", psr_db))
    beside = f"; PGD {points(most)}" if most else ""
    return Finding(at_least(more, 0.0), f"{points(more)}{beside}")
