"""Parses command-line options without importing torch."""

from __future__ import annotations

import json
import math
from typing import Any

from semveil.errors import SemveilError

_MOST = 1000


def budgets(words: str, option: str = "--psr") -> list[float]:
    """Read levels in dB: ``FIRST:LAST:STEP``, both ends included, or numbers with commas."""
    parts = words.split(":") if ":" in words else words.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        raise SemveilError(
            f"{option} {words}: expected FIRST:LAST:STEP or numbers in dB, as in -6,-2"
        )
    if ":" not in words:
        return numbers
    if len(numbers) != 3:
        raise SemveilError(f"{option} {words}: expected FIRST:LAST:STEP, as in -10:-2:2")
    first, last, step = numbers
    if step == 0 or (last - first) / step < 0:
        raise SemveilError(
            f"{option} {words}: steps of {step:g} dB do not lead from {first:g} to {last:g}"
        )
    count = int((last - first) / step + 1e-9) + 1
    if count > _MOST:
        raise SemveilError(f"{option} {words}: {count} levels are too many")
    return [round(first + step * number, 9) for number in range(count)]


def attack_settings(
    names: str | None,
    psr: str | None,
    snr: float | None,
    source_class: int | None,
    target_class: int | None,
    votes: int | None,
) -> list[str]:
    """Return the settings of attacks that a command's options change, as ``--set`` takes them."""
    given: dict[str, Any] = {}
    if names is not None:
        given["names"] = [name.strip() for name in names.split(",")]
    if psr is not None:
        given["psr_db"] = budgets(psr)
    chosen = {
        "snr_db": snr,
        "source_class": source_class,
        "target_class": target_class,
        "votes": votes,
    }
    given |= {key: value for key, value in chosen.items() if value is not None}
    return [f"attack.{key}={json.dumps(value)}" for key, value in given.items()]
