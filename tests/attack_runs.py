"""Records of attacks with known numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semveil.records import Record

PSRS = (-10.0, -6.0, -2.0)


def bob(
    values: Mapping[str | tuple[str, int], float],
    attack: str | None = None,
    psr_db: float | None = None,
    *,
    half: float = 0.01,
    **fields: Any,
) -> list[Record]:
    """Return one record per metric, whose interval reaches ``half`` to both sides.

    Args:
        values: By metric, or metric and class of images; of dB, the interval is ten times as wide.
        attack: Who disturbs.
        psr_db: Budget.
        half: Half an interval.
        fields: Further fields of the records.
    """
    common: dict[str, Any] = {
        "study": "test",
        "scheme": "mobilesc",
        "dataset": "digits",
        "channel": "multipath/lmmse",
        "train_snr_db": 10.0,
        "test_snr_db": 10.0,
        "latent_dim": 128,
        "bandwidth_ratio": 1.0,
        "protocol": "adaptive" if attack else "none",
        "n": 1000,
        "seed": 0,
    }
    records = []
    for key, value in values.items():
        metric, label = (key, None) if isinstance(key, str) else key
        wide = 10 * half if metric == "psnr_db" else half
        measured = {
            "role": "bob",
            "adversary": attack,
            "psr_db": psr_db,
            "metric": metric,
            "image_class": label,
            "value": value,
            "ci_low": value - wide,
            "ci_high": value + wide,
        }
        records.append(Record(**{**common, **measured, **fields}))
    return records


def sweep(attack: str, accuracies: tuple[float, float, float], **fields: Any) -> list[Record]:
    """Return the accuracy under an attack at the three budgets."""
    return [
        record
        for psr_db, accuracy in zip(PSRS, accuracies, strict=True)
        for record in bob({"accuracy": accuracy}, attack, psr_db, **fields)
    ]


def sound(**fields: Any) -> list[Record]:
    """Return attacks whose orderings hold, with classes of which the largest has 600 of 1000."""
    classes = [
        record
        for label, n in enumerate((600, 400))
        for attack, psr_db in ((None, None), ("pgd", -2.0))
        for record in bob({("accuracy", label): 0.9}, attack, psr_db, **{**fields, "n": n})
    ]
    return [
        *bob({"accuracy": 0.9, "psnr_db": 20.0}, **fields),
        *sweep("jamming", (0.89, 0.88, 0.85), **fields),
        *sweep("fgm", (0.6, 0.5, 0.4), **fields),
        *sweep("pgd", (0.3, 0.1, 0.05), **fields),
        *sweep("transfer", (0.8, 0.7, 0.6), **fields),
        *classes,
    ]
