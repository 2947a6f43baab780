"""What grows with the number of devices, from records with a known law."""

from __future__ import annotations

import pytest

from semveil.papers.work import devices
from semveil.records import Record
from semveil.report.select import frame


def records(*numbers, power=2.0):
    return frame(
        [
            Record(
                scheme="dp", dataset="digits", channel="awgn/perfect", role="system",
                metric="mean_error", params={"devices": n}, value=3 * n**power * (1 + spread),
                ci_low=0.9, ci_high=1e9, n=7, seed=seed,
            )
            for n in numbers
            for seed, spread in ((0, 0.1), (1, -0.1))
        ]
    )  # fmt: skip


def test_the_law_goes_through_the_means_of_the_seeds():
    table = records(2, 4, 8)
    assert devices.exponent(table).value == pytest.approx(2.0)
    assert devices.extended(table).value == pytest.approx(3e8)
    assert (devices.last(table).value, devices.first(table).value) == pytest.approx((192.0, 12.0))
    # One seed lies far from the other, which has an interval of its own.
    assert devices.last(table).low < 0.9
    assert devices.first(table).low == pytest.approx(12.0)


def test_what_was_measured_is_not_extended_and_two_points_have_no_law():
    assert devices.extended(records(100, 1000, 10_000)) is None
    assert devices.exponent(records(1, 10)) is None


def test_what_does_not_grow_has_the_exponent_zero():
    assert devices.exponent(records(1, 10, 100, power=0.0)).low == 0.0
