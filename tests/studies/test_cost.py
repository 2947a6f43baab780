"""What the survey's statements on cost are called, by the intervals of the ratios."""

from __future__ import annotations

from semveil.studies import cost


def test_verdicts_follow_the_intervals():
    number = cost.Number
    clear, wide = number(3.0, 2.5, 3.5), number(2.1, 1.5, 2.6)
    small, same = number(1.02, 0.98, 1.05), number(1.0, 1.0, 1.0)
    assert cost._verdict([clear, clear], ">=") == "confirmed"
    assert cost._verdict([clear, wide], ">=") == "open"
    assert cost._verdict([clear, small], ">=") == "not for all"
    assert cost._verdict([small], ">=") == "not confirmed"
    assert cost._verdict([small, same], "<=") == "confirmed"
    assert cost._verdict([small, clear], "<=") == "not for all"
    assert cost._verdict([same, same], "==") == "confirmed"
    assert cost._verdict([same, small], "==") == "not confirmed"
