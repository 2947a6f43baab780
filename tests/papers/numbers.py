"""Synthetic records for the tests of claims and pages."""

from __future__ import annotations

from typing import Any

import pandas as pd

COMMON: dict[str, Any] = {
    "study": "made-up",
    "scheme": "mobilesc",
    "variant": None,
    "control": None,
    "training": None,
    "params": None,
    "system": "mobilesc",
    "dataset": "digits",
    "channel": "awgn/perfect",
    "train_snr_db": 10.0,
    "test_snr_db": 10.0,
    "latent_dim": 32.0,
    "bandwidth_ratio": 0.25,
    "role": "bob",
    "adversary": None,
    "asymmetry": None,
    "protocol": "none",
    "psr_db": None,
    "target": None,
    "metric": "accuracy",
    "image_class": None,
    "n": 100,
    "seed": 0,
}


def row(value: float, half: float = 0.01, **fields: Any) -> dict[str, Any]:
    """Return a record of Bob with an interval of so much either way."""
    ends = {"ci_low": value - half, "ci_high": value + half}
    system = {"system": fields.get("scheme", "mobilesc")}
    attack = {"protocol": "adaptive"} if fields.get("adversary") else {}
    return COMMON | {"value": value, **ends} | system | attack | fields


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return a frame of records."""
    numeric = ("train_snr_db", "test_snr_db", "latent_dim", "psr_db", "image_class")
    numeric += ("value", "ci_low", "ci_high")
    return pd.DataFrame(list(rows)).astype(dict.fromkeys(numeric, float))
