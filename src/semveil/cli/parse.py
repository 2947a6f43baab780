"""Parses command-line options without importing torch."""

from __future__ import annotations

import math
from typing import Any

from semveil.errors import SemveilError, unknown
from semveil.recipe import HARDENINGS, PERTURBERS

_MOST = 1000

ATTACKS = {
    "jamming": "white Gaussian noise of the same energy: the control",
    "fgm": "one gradient step per input (Sadeghi and Larsson)",
    "pgd": "projected gradient descent per input, several starts",
    "uap": "one perturbation for all inputs, by projected gradient descent",
    "pgm": "a generator that sees no input, disguised as noise (Bahramali et al.)",
    "semadv": "a generator that is after one class and spares the others (Nan et al.)",
    "blackbox": "random search per input by Bob's scores, without gradients",
    "transfer": "gradients per input of a receiver that Mallory trained herself",
}
TRAININGS = {
    "noise": "Gaussian noise of the perturbation's power on a part of every batch",
    "at-pgd": "adversarial training against PGD",
    "at-pgm": "adversarial training against PGM",
    "at-semadv": "adversarial training against SemAdv, aimed at any class",
    "semmixed": "PGM or SemAdv by lot, half of every batch clean (Nan et al.)",
}


def budgets(words: str) -> list[float]:
    """Read budgets in dB: ``FIRST:LAST:STEP``, both ends included, or numbers with commas.

    Raises:
        SemveilError: If they are none, or no numbers.

    Example:
        >>> budgets("-10:-2:2"), budgets("-6,-3.5")
        ([-10.0, -8.0, -6.0, -4.0, -2.0], [-6.0, -3.5])
    """
    parts = words.split(":") if ":" in words else words.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        raise SemveilError(f"--psr {words}: expected FIRST:LAST:STEP or numbers in dB, as in -6,-2")
    if ":" not in words:
        return numbers
    if len(numbers) != 3:
        raise SemveilError(f"--psr {words}: expected FIRST:LAST:STEP, as in -10:-2:2")
    first, last, step = numbers
    if step == 0 or (last - first) / step < 0:
        raise SemveilError(
            f"--psr {words}: steps of {step:g} dB do not lead from {first:g} to {last:g}"
        )
    count = int((last - first) / step + 1e-9) + 1
    if count > _MOST:
        raise SemveilError(f"--psr {words}: {count} budgets are too many")
    return [round(first + step * number, 9) for number in range(count)]


def attacks(words: str) -> list[str]:
    """Read names of attacks with commas between them, or ``all``.

    Raises:
        SemveilError: If one is unknown, with the nearest.

    Example:
        >>> attacks("pgd, semadv"), len(attacks("all"))
        (['pgd', 'semadv'], 8)
    """
    if words.strip() == "all":
        return list(PERTURBERS)
    names = [name.strip() for name in words.split(",")]
    for name in names:
        if name not in PERTURBERS:
            raise unknown("attack", name, PERTURBERS)
    return names


def hardening(word: str) -> str:
    """Read the name of a training against attacks.

    Raises:
        SemveilError: If it is unknown, with the nearest.

    Example:
        >>> hardening("semmixed")
        'semmixed'
    """
    methods = [method for method in HARDENINGS if method != "none"]
    if word not in methods:
        raise unknown("training", word, methods)
    return word


def attack_settings(
    names: str | None,
    psr: str | None,
    snr: float | None,
    target: int | None,
    wrong: int | None,
    votes: int | None,
) -> dict[str, Any]:
    """Return the settings of attacks that a command's options change.

    Example:
        >>> attack_settings("pgd", "-6", None, 2, None, None)
        {'names': ['pgd'], 'psr_db': [-6.0], 'target': 2}
    """
    given: dict[str, Any] = {}
    if names is not None:
        given["names"] = attacks(names)
    if psr is not None:
        given["psr_db"] = budgets(psr)
    chosen = {"snr_db": snr, "target": target, "wrong": wrong, "votes": votes}
    return given | {key: value for key, value in chosen.items() if value is not None}
