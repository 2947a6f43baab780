"""The loop with GNU Radio: its channel model between our transmitter and our receiver."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import succeed
from recordings import DIGITS, IMAGES
from semveil.papers.work.gnuradio_process import installed, through_gnuradio
from semveil.recording import open_recording, write_recording

pytestmark = pytest.mark.skipif(not installed(), reason="GNU Radio is not on this machine")


def recorded(base: Path, out: Path, **settings) -> Path:
    """Write what GNU Radio's channel model makes of a recording."""
    recording = open_recording(base)
    heard = through_gnuradio(recording.read(), [settings])
    fields = {key: value for key, value in recording.fields.items() if key.startswith("semveil:")}
    fields["semveil:samples"] = len(heard)
    return write_recording(out, [heard], recording.sample_rate_hz, fields=fields)


def received(semveil, base, *extra):
    words = ["receive", base, "--link", IMAGES, "--original", DIGITS, "--json", *extra]
    return json.loads(succeed(semveil(*words)).out)["frames"]


def test_our_receiver_decodes_after_their_channel(semveil, clean, tmp_path):
    level = open_recording(clean).fields["semveil:format"]["level"]
    snr_db = 15
    # Noise of this power over the whole band; 51 of 64 subcarriers are used.
    voltage = float(np.sqrt(level**2 * 10 ** (-snr_db / 10) * 64 / 51))
    settings = {
        "noise_voltage": voltage,
        "frequency_offset": 0.009,
        "epsilon": 1.00002,
        "taps": [[0.8, 0.1], [0.3, -0.4], [0.1, 0.2]],
        "seed": 3,
    }
    base = recorded(clean, tmp_path / "gnuradio", **settings)
    frames = received(semveil, base)
    assert [frame["counter"] for frame in frames] == [0, 1, 2, 3, 4]
    starts = [each.start for each in open_recording(clean).annotations]
    gain = 10 * np.log10(sum(abs(complex(*tap)) ** 2 for tap in settings["taps"]))
    for frame, start in zip(frames, starts, strict=True):
        assert frame["problem"] is None
        assert abs(frame["cfo_hz"] - 9000) < 100
        # Their model's output leads by three samples.
        assert abs(frame["start"] - (start - 3)) <= 4
        assert abs(frame["snr_db"] - (snr_db + gain)) < 1.5


def test_gnuradio_opens_our_recording(clean, tmp_path):
    """Without noise and offsets its output is ours, three samples early and eight short."""
    base = recorded(clean, tmp_path / "same")
    ours, theirs = open_recording(clean).read(), open_recording(base).read()
    assert len(theirs) == len(ours) - 8
    np.testing.assert_allclose(theirs[:-3], ours[3:-8], atol=1e-4)


def test_every_piece_goes_through_a_channel_of_its_own():
    """Taps and offsets by their definition, on a constant and without noise."""
    sent = np.ones(2000, np.complex64)
    settings = [{"taps": [[0, 2]]}, {"frequency_offset": 0.01}]
    first, second = np.split(through_gnuradio(sent, settings), 2)
    assert len(first) == 992
    np.testing.assert_allclose(first[20:], 2j, atol=1e-3)
    turn = second[21:] / second[20:-1]
    np.testing.assert_allclose(turn, np.exp(0.02j * np.pi), atol=1e-3)
