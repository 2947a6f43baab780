"""The page as a browser lays it out."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from browser import CHROMIUM, chromium, looked_at
from devtools import tab

PRINTED_WIDTH = 703  # pixels of CSS: A4 without its margins of 12 mm
WIDER = "box.scrollWidth > box.clientWidth + 1"


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


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_paper_shows_every_column_and_the_verdict_first(page: Path, tmp_path: Path) -> None:
    with tab(tmp_path) as opened:
        opened.open(page.as_uri())
        opened.until("document.querySelector('footer') !== null")
        opened.size(PRINTED_WIDTH, 1000, dark=True)
        opened.ask("Emulation.setEmulatedMedia", media="print")
        assert opened.run(WIDER.replace("box", "document.body")) is False
        assert opened.run(f"[...document.querySelectorAll('.box')].filter(box => {WIDER})") == []
        assert opened.run("document.querySelector('main section').id") == "summary"
        below = "document.querySelector('#summary .sign').getBoundingClientRect().bottom"
        assert 0 < opened.run(below) < PRINTED_WIDTH * 2**0.5
        assert opened.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_the_first_column_stays_on_a_phone(page: Path, tmp_path: Path) -> None:
    with tab(tmp_path) as opened:
        opened.size(400, 800)
        opened.open(page.as_uri())
        opened.until("document.querySelector('footer') !== null")
        seen = opened.run(
            "(() => { const box = document.querySelector('#table .box');"
            " const name = box.querySelector('tbody th[scope=row]');"
            " const before = name.getBoundingClientRect().left; box.scrollLeft = 300;"
            " const after = name.getBoundingClientRect();"
            " return [box.scrollLeft, before - after.left, after.width]; })()"
        )
    scrolled, moved, width = seen
    assert scrolled > 100
    assert abs(moved) < 10
    assert width < 200
