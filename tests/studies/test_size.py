"""The study of size: what its page says follows from the records."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from semveil.profiling.networks import semantic_network
from semveil.records import Record
from semveil.report.select import frame
from semveil.studies import size
from semveil.studies.size_page import PUBLISHED, page, verdict
from semveil.studies.words import Value as Number


def table(ratio: float, parameters: dict[str, int], series: tuple[str, ...]) -> pd.DataFrame:
    """Return records in which each reference takes ``ratio`` times as long, ±10 %."""
    records = []
    common: dict[str, Any] = {
        "study": "size", "dataset": "mnist", "channel": "none", "role": "system", "seed": 0,
    }  # fmt: skip
    for name in series:
        params: dict[str, Any] = {"part": name.split()[-1]}
        if "exported" in name:
            params["exported"] = True
        for system in PUBLISHED:
            times = 1.0 if system == "mobilesc" else ratio
            spread = 0.0 if system == "mobilesc" else 0.1
            numbers = {
                "latency_s": 0.001 * times,
                "throughput_per_s": 2000 / times,
                "latency_ratio": times,
                "batch_ratio": times,
            }
            for metric, value in numbers.items():
                low, high = value * (1 - spread), value * (1 + spread)
                records.append(
                    Record(scheme=system, params=params, metric=metric, value=value, ci_low=low,
                           ci_high=high, n=15, **common)
                )  # fmt: skip
            if "exported" not in name:
                records.append(
                    Record(scheme=system, params=params, metric="parameters",
                           value=parameters[f"{system} ({name})"], n=1, **common)
                )  # fmt: skip
    return frame(records)


SIZES = {
    f"{system} ({end})": published[place]
    for system, published in PUBLISHED.items()
    for place, end in enumerate(("encoder", "decoder"))
}


@pytest.mark.parametrize(
    ("ratio", "outcome"), [(1.5, "confirmed"), (1.05, "open"), (0.8, "not confirmed")]
)
def test_speed_is_judged_by_the_intervals(ratio: float, outcome: str) -> None:
    lines = page(table(ratio, SIZES, ("encoder", "decoder", "exported encoder"))).splitlines()
    exported = lines[lines.index("## Exported encoder") :]
    assert exported[4].startswith("| mobilesc | 10.0 | 5.0 | 5.6 | 1.00 |")
    faster = [line for line in lines if "is faster than both" in line]
    assert len(faster) == 6
    assert all(line.endswith(f"| {outcome} |") for line in faster)


def test_sizes_are_compared_with_the_published_ones() -> None:
    def said_of(sizes: dict[str, int]) -> tuple[str, str]:
        text = page(table(1.5, sizes, ("encoder", "decoder")))
        (line,) = (line for line in text.splitlines() if "Parameters as in" in line)
        return text, line

    assert said_of(SIZES)[1].endswith("| all the same | confirmed |")
    near = said_of(SIZES | {"mobilesc (decoder)": 804_953})[1]
    assert near.endswith("| mobilesc's decoder: -2 | confirmed but for that |")
    text, line = said_of(SIZES | {"jscc-ofdm (encoder)": 2_000_000})
    assert line.endswith("| jscc-ofdm's encoder: -760128 | not confirmed |")
    (line,) = (line for line in text.splitlines() if "than `jscc-ofdm`" in line)
    assert "70.8 %" in line  # its own table
    assert line.endswith("| 59.7 % | not confirmed |")
    assert "| mobilesc | 805,464 | 805,464 |" in text
    # One millisecond an image is ten seconds for ten thousand; 2000 a second are five.
    assert "| 10.0 | 5.0 | 5.6 |" in text


def test_what_was_not_exported_is_said() -> None:
    whole = table(1.5, SIZES, ("encoder", "decoder"))
    assert "Exported encoder" not in page(whole)
    assert verdict([]) == "not measured"
    assert verdict([Number(1.2, 1.1, 1.3), Number(0.9, 0.8, 0.95)]) == "not confirmed"


def test_the_networks_measured_are_those_of_the_table() -> None:
    for place, end in enumerate(("encoder", "decoder")):
        for system, published in PUBLISHED.items():
            counts = semantic_network(end, system, (1, 28, 28), 768, 64, seed=0).counted()
            off = 2 if (end, system) == ("decoder", "mobilesc") else 0
            assert counts["parameters"] == published[place] - off
    for budget in ("smoke", "cpu", "full"):
        for job in size.jobs(budget, 3):
            assert job.seed == 3
            assert job.recipe.link.width == 64
