"""The page of the demonstration, used in a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from browser import CHROMIUM
from commands import CommandLine, refusal
from devtools import Tab, tab

DIGITS = Path(__file__).parents[2] / "docs" / "assets" / "digits"
BOB, ALICE, SUMMARY, ALERT = "#sv-bob img", ".sv-row img", ".sv-summary", ".sv-alert[role=alert]"
pytestmark = pytest.mark.slow
needs_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address of a page and the id of its process."""
    scratch = tmp_path_factory.mktemp("demo")
    process = subprocess.Popen(
        [sys.executable, "-m", "semveil", "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(scratch)},
        # What a shell has started in the background ignores it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert found, line
    yield found[0], process.pid
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    # Nothing of what was uploaded stays.
    assert list(scratch.glob("semveil-demo-*")) == []


@pytest.fixture
def page(server: tuple[str, int], tmp_path: Path) -> Iterator[Tab]:
    """The page in a tab."""
    with tab(tmp_path) as opened:
        opened.size(1280, 900)
        opened.open(server[0])
        opened.until(there(BOB))
        yield opened


def there(selector: str) -> str:
    return f"document.querySelector('{selector}') !== null"


def source(page: Tab, selector: str) -> str:
    return str(page.run(f"document.querySelector('{selector}').src"))


def changed(page: Tab, selector: str, before: str) -> None:
    page.until(f"document.querySelector('{selector}')?.src !== {before!r}")


def says(page: Tab, selector: str, pattern: str) -> None:
    page.until(f"document.querySelector('{selector}')?.textContent.match({pattern})")


def click(page: Tab, text: str) -> None:
    """Click the radio button, option or button of some text."""
    page.run(
        "[...document.querySelectorAll('label, button, li')]"
        f".find(each => each.textContent.trim() === {text!r}).click()"
    )


def slide(page: Tab, label: str, key: str, code: int) -> None:
    """Press a key on a slider."""
    page.run(f"document.querySelector('input[type=range][aria-label*=\"{label}\"]').focus()")
    page.press(key, code)


@needs_gradio
def test_the_page_starts_within_10_s_and_listens_on_loopback_alone(server) -> None:
    _, pid = server
    ticks = sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15]))
    assert ticks / os.sysconf("SC_CLK_TCK") < 10
    port = int(server[0].rsplit(":", 1)[1].strip("/"))
    listening = [
        fields[1]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[1].endswith(f":{port:04X}")
    ]
    assert listening == [f"0100007F:{port:04X}"]


@needs_gradio
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_sliders_attacks_and_uploads_change_what_is_shown(page: Tab, server, tmp_path) -> None:
    page.until(there("#sv-eve img"))
    before = source(page, BOB)
    slide(page, "Bob’s SNR", "Home", 36)
    changed(page, BOB, before)
    says(page, ".sv-panels", "/at −10 dB, without/")

    click(page, "PGD")
    page.until(there("#sv-attacked img"))
    before = source(page, "#sv-attacked img")
    slide(page, "Bob’s SNR", "End", 35)
    slide(page, "PSR", "End", 35)
    changed(page, "#sv-attacked img", before)
    page.until(
        f"document.querySelector('{SUMMARY}').textContent.match(/PGD change.* PSR of 10 dB/)"
    )

    before = source(page, ALICE)
    page.upload("input[type=file]", DIGITS / "2.png")
    changed(page, ALICE, before)
    says(page, SUMMARY, "/Bob answers 3/")

    before = source(page, ALICE)
    bad = tmp_path / "fake.png"
    bad.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="x"</script></svg>'
    )
    page.upload("input[type=file]", bad)
    says(page, ALERT, "/fake.png/")
    large = tmp_path / "large.png"
    Image.new("1", (10_000, 10_000)).save(large)
    page.upload("input[type=file]", large)
    says(page, ALERT, "/pixels are more/")
    assert source(page, ALICE) == before
    assert page.run("document.title") == "semveil demo"

    assert [url for url in page.requests if not url.startswith((server[0], "data:", "blob:"))] == []
    assert page.problems == []


@needs_gradio
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_keys_of_a_keyed_link(page: Tab) -> None:
    assert "Bob has a wrong key" not in page.run("document.body.innerText")
    page.run("document.querySelector('input[aria-label=Link]').focus()")
    page.run("document.querySelector('input[aria-label=Link]').click()")
    page.until("[...document.querySelectorAll('li')].length > 3")
    page.run(
        "[...document.querySelectorAll('li')].find(each => each.textContent.includes('rotation'))"
        ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
    )
    page.until("document.body.innerText.includes('Bob has a wrong key')")
    says(page, ".sv-panels", "/A key hides them/")
    plot = "document.querySelector('.sv-plot').innerHTML"
    public = page.run(plot)
    click(page, "A secret key, drawn now")
    page.until(f"{plot} !== {public!r}")
    click(page, "Bob has a wrong key")
    page.until(
        "document.querySelector('.sv-panels').textContent.includes('another key than Alice')"
    )


@needs_gradio
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_the_page_fits_a_phone_and_names_its_controls(page: Tab) -> None:
    page.size(390, 844, dark=True)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    unnamed = page.run(
        "[...document.querySelectorAll('input:not([type=file]), button, img, svg[role=img]')]"
        ".filter(each => each.offsetParent !== null && !(each.getAttribute('aria-label')"
        " || each.alt || each.labels?.length || each.textContent.trim()))"
        ".map(each => each.outerHTML)"
    )
    assert unnamed == []
    # From the top, the keyboard reaches the link, a picture, the upload and a slider.
    reached = set()
    page.run("document.activeElement.blur()")
    for _ in range(25):
        page.press("Tab", 9)
        reached.add(page.run("document.activeElement.type || document.activeElement.tagName"))
    assert {"text", "radio", "submit", "range"} <= reached


def test_a_bad_address_is_refused(semveil: CommandLine) -> None:
    assert "cannot listen on 192.0.2.1" in refusal(semveil("demo", "--host", "192.0.2.1"))
    assert "digits/ibal" in refusal(semveil("demo", "digits/ibl"))
