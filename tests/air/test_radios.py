"""Radios through SoapySDR: a stand-in with its documented calls, and SoapySDR's null device."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from commands import refusal, succeed
from recordings import DIGITS, IMAGES
from semveil.recording import open_recording

STANDIN = f"import sys; sys.path.insert(0, {str(Path(__file__).parent / 'standin')!r})"
SYSTEM = Path("/usr/lib/python3/dist-packages")


def send(semveil, device, *extra, before=STANDIN):
    words = ["transmit", DIGITS, "--link", IMAGES, "--device", device, "--frequency", "2.4e9"]
    return semveil(*words, *extra, before=before)


def hear(semveil, device, *extra):
    words = ["receive", "--link", IMAGES, "--device", device, "--frequency", "2.4e9", "--json"]
    return semveil(*words, "--seconds", "0.013", *extra, before=STANDIN)


def test_a_radio_sends_what_another_receives(semveil, tmp_path):
    loop = f"soapy=driver=loopback,path={tmp_path / 'air'},log={tmp_path / 'log'}"
    sent = succeed(send(semveil, loop, "--out", tmp_path / "copy", "--gain", "20"))
    assert "5 frames" in sent.out
    on_air = np.fromfile(tmp_path / "air", np.complex64)
    np.testing.assert_array_equal(on_air[:-1], open_recording(tmp_path / "copy").read())
    found = json.loads(succeed(hear(semveil, loop, "--out", tmp_path / "out")).out)
    assert [frame["counter"] for frame in found["frames"]] == [0, 1, 2, 3, 4]
    settings = (tmp_path / "log").read_text().splitlines()
    assert "('frequency', 2400000000.0), ('gain', 20.0), ('rate', 1000000.0)" in settings[0]
    assert len(settings) == 2  # both streams were closed


def test_lost_samples_are_told_and_the_rest_is_received(semveil, tmp_path):
    loop = f"soapy=driver=loopback,path={tmp_path / 'air'}"
    succeed(send(semveil, loop))
    heard = hear(semveil, loop + ",overflow=1", "--out", tmp_path / "out")
    assert "samples were lost" in heard.err


@pytest.mark.parametrize(
    ("device", "extra", "line"),
    [
        ("soapy=driver=none", [], "no match"),
        ("soapy=driver=loopback,path={}/air", ["--rate", "100e6"], "out of range"),
    ],
)
def test_what_a_radio_refuses_is_one_line(semveil, tmp_path, device, extra, line):
    assert line in refusal(send(semveil, device.format(tmp_path), *extra))


def test_without_soapy_the_line_says_what_to_install(semveil):
    hidden = "import sys; sys.modules['SoapySDR'] = None"
    line = refusal(send(semveil, "soapy=driver=lime", before=hidden))
    assert "python3-soapysdr" in line


@pytest.mark.skipif(
    # Built for one version of Python.
    not list(SYSTEM.glob(f"_SoapySDR.{sys.implementation.cache_tag}-*")),
    reason="SoapySDR for this Python is not on this machine",
)
def test_the_null_device_of_soapy_takes_no_samples(semveil, tmp_path):
    """The real library: its null device is set up, and refuses to stream."""
    for file in SYSTEM.glob("*SoapySDR*"):
        shutil.copy(file, tmp_path)
    found = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    result = send(semveil, "soapy=driver=null,type=null", before=found)
    assert result.code == 2
    assert "samples were not sent: NOT_SUPPORTED" in result.err.splitlines()[-1]
