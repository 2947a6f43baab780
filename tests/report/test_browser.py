"""The page as a browser lays it out."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from browser import CHROMIUM, chromium, looked_at


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_the_window(page: Path, tmp_path: Path, width: int, dark: bool) -> None:
    seen = looked_at(page, tmp_path, width, dark=dark)
    assert seen["overflow"] == 0
    assert seen["drawings"] == 7
    assert seen["smallest"] > 0
    assert seen["loaded"] == 0
    assert seen["background"] == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_page_can_be_painted(page: Path, tmp_path: Path, width: int, height: int) -> None:
    picture = tmp_path / f"{width}.png"
    chromium(tmp_path, page, width, height, f"--screenshot={picture}")
    with Image.open(picture) as painted:
        assert painted.size == (width, height)
        assert len(painted.convert("L").getcolors() or []) > 20
