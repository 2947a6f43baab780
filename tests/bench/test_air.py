"""The receivers that are timed against each other receive what was sent to them."""

import pytest

import benchmarks.air
from benchmarks.air import draw_recording, gnuradio
from benchmarks.timing import MissingError
from semveil.radio import FrameFormat, receive


def test_our_recording_has_the_frames_that_are_counted():
    samples, count = draw_recording(60_000)
    assert len(samples) <= 60_000
    assert sum(each.reception is not None for each in receive(FrameFormat(), samples)) == count


def test_gnu_radio_receives_its_packets_as_often_as_asked():
    try:
        with gnuradio(30) as theirs:
            assert theirs.samples > 10_000
            assert [theirs.receive() >= 0.9 * theirs.payload for _ in range(2)] == [True, True]
    except MissingError as missing:
        pytest.skip(str(missing))


def test_a_missing_gnu_radio_is_said_and_not_an_error(monkeypatch):
    monkeypatch.setattr("benchmarks.air.PYTHON", benchmarks.air.PYTHON / "none")
    result = benchmarks.run(["receiver_vs_gnuradio"], quick=True)
    assert result["ratios"] == {"receiver_vs_gnuradio": None}
    assert "GNU Radio" in result["notes"]["receiver_vs_gnuradio"]
