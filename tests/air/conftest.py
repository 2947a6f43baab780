"""A recording of digits, for the tests that need one."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import succeed
from recordings import DIGITS, IMAGES


@pytest.fixture(scope="session")
def clean(semveil, tmp_path_factory) -> Path:
    """Five digits as ``digits/deepjscc-image`` sends them, before any channel."""
    base = tmp_path_factory.mktemp("air") / "clean"
    succeed(semveil("transmit", DIGITS, "--link", IMAGES, "--out", base))
    return base


@pytest.fixture(scope="session")
def noisy(semveil, clean) -> Path:
    """The same after noise, offsets and multipath."""
    base = clean.with_name("noisy")
    offsets = ["--snr", "15", "--cfo", "9000", "--sro", "20", "--taps", "4", "--delay", "777.3"]
    succeed(semveil("channel", clean, "--out", base, *offsets, "--seed", "1"))
    return base
