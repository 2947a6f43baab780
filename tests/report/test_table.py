"""The words of tables."""

from __future__ import annotations

import pytest

from semveil.metrics import metric_of
from semveil.records import Estimate
from semveil.report.table import heading, markdown_table, with_interval


@pytest.mark.parametrize(
    ("metric", "ends", "words"),
    [
        ("ssim", (0.48, 0.53), "0.500 (0.480–0.530)"),
        ("accuracy", (0.48, 0.53), "50.0\N{NO-BREAK SPACE}% (48.0–53.0)"),
        ("ssim", (0.5, 0.5), "0.500"),
    ],
)
def test_a_number_has_its_unit_and_interval(
    metric: str, ends: tuple[float, float], words: str
) -> None:
    assert with_interval(Estimate(0.5, *ends, 900), metric_of(metric)) == words


def test_a_heading_leaves_out_what_is_missing() -> None:
    condition = {"dataset": "digits", "latent_dim": 16.0, "seed": None, "train_snr_db": -10.0}
    assert heading(condition.items()) == "digits · d = 16 · trained at −10 dB"


def test_a_markdown_table_has_a_rule_below_its_heads() -> None:
    assert (
        markdown_table(["d", "Bob"], [["8", "90.1"]]) == "| d | Bob |\n| --- | --- |\n| 8 | 90.1 |"
    )
