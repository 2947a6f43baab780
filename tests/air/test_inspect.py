"""The page on a recording, as a file and as a browser lays it out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.signal import welch

from browser import CHROMIUM, looked_at
from commands import refusal, succeed
from recordings import IMAGES
from semveil.air.inspect import Measured, inspect
from semveil.air.stated import stated_format
from semveil.recording import open_recording


@pytest.fixture(scope="module")
def page(semveil, noisy):
    out = noisy.with_name("noisy.html")
    succeed(semveil("inspect", noisy, "--link", IMAGES, "--out", out))
    return out


def test_the_page_shows_every_frame_and_loads_nothing(page):
    text = page.read_text()
    assert "5 frames decoded" in text
    assert len(re.findall(r"<svg ", text)) == 3
    assert "http:" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert "CFO (Hz)" in text
    assert "cfo_hz 9,000, " in text
    assert "guard_dc yes, " in text
    assert "sample_rate 1,000,000, " in text


def test_the_spectrum_is_that_of_scipy(noisy):
    recording = open_recording(noisy)
    view = inspect(recording, stated_format(recording))
    frequency, density = welch(
        recording.read(), 1e6, np.hanning(1024), noverlap=512, detrend=False, return_onesided=False
    )
    np.testing.assert_allclose(view.frequency_hz, np.fft.fftshift(frequency))
    np.testing.assert_allclose(view.density_db, 10 * np.log10(np.fft.fftshift(density)), atol=0.1)
    power = np.mean(np.abs(recording.read()) ** 2)
    assert np.mean(10 ** (view.power_db / 10)) == pytest.approx(power, rel=0.02)
    assert len(view.frames) == 5
    assert len(view.symbols) == 5 * 16


def test_the_power_is_the_mean_around_each_moment():
    samples = np.exp(1j * np.arange(10_000)).astype(np.complex64) * np.linspace(1, 2, 10_000)
    measured = Measured(len(samples), 1e3)
    for _ in measured.through(iter(np.split(samples.astype(np.complex64), [7, 7, 4321]))):
        pass
    time_s, power_db = measured.power()
    assert measured.step == 9
    starts = np.arange(0, len(samples), 9)
    expected = [np.mean(np.abs(samples[start : start + 9]) ** 2) for start in starts]
    np.testing.assert_allclose(10 ** (power_db / 10), expected, rtol=1e-5)
    np.testing.assert_allclose(time_s[:2], [0.0045, 0.0135])


def test_many_symbols_are_thinned_evenly(noisy, monkeypatch):
    recording = open_recording(noisy)
    whole = inspect(recording, stated_format(recording)).symbols
    monkeypatch.setattr("semveil.air.inspect._SYMBOLS", 30)
    few = inspect(recording, stated_format(recording)).symbols
    assert 10 <= len(few) <= 30
    assert set(few.tolist()) < set(whole.tolist())


def test_frames_that_are_not_the_links_are_listed_as_refused(semveil, noisy, tmp_path):
    out = tmp_path / "other.html"
    succeed(semveil("inspect", noisy, "--link", "digits/deepjscc", "--out", out))
    assert "0 frames decoded · 5 refused" in out.read_text()
    assert "sent by another link" in out.read_text()


def test_the_page_has_a_name_of_a_page(semveil, noisy, tmp_path):
    assert "name a file" in refusal(semveil("inspect", noisy, "--out", tmp_path / "page.txt"))


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_the_window(page, tmp_path, width):
    seen = looked_at(page, tmp_path, width)
    assert seen["overflow"] == 0
    assert seen["drawings"] == 3
    assert seen["smallest"] > 0
    assert seen["loaded"] == 0
