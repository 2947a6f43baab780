"""The built documentation (``make docs``) as a browser opens it from the disk."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from browser import CHROMIUM, chromium

SITE = Path(__file__).parents[2] / "docs" / "_site"
pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="run make docs first")


class Sources(HTMLParser):
    """What a page loads, and the pictures in its text."""

    def __init__(self):
        super().__init__()
        self.loaded, self.pictures = [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in ("script", "img", "iframe") and found.get("src"):
            self.loaded.append(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon"):
            self.loaded.append(found["href"])
        if tag == "img" and found.get("src"):
            self.pictures.append(found["src"])


def sources(page):
    found = Sources()
    found.feed(page.read_text())
    return found


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize(("words", "some"), [("rotation", True), ("qwertyuiop", False)])
def test_the_search_answers_on_a_page_from_the_disk(tmp_path, words, some):
    page = SITE / "index.html"
    dom = chromium(
        tmp_path, page, 1200, 900, "--dump-dom", "--virtual-time-budget=20000", query=words
    )
    (answer,) = re.findall(r'md-search-result__meta">([^<]*)<', dom)
    assert ("matching document" in answer and "No matching" not in answer) is some, answer


@pytest.mark.parametrize("name", ["index.html", "results/index.html", "results/cost/index.html"])
def test_nothing_is_loaded_from_elsewhere(name):
    found = sources(SITE / name).loaded
    assert found
    assert not [place for place in found if "//" in place]


def test_results_have_pages_with_their_figures():
    pages = sorted((SITE / "results").glob("*/index.html"))
    assert {"cost", "attacks", "latent-dimension"} <= {page.parent.name for page in pages}
    for page in pages:
        assert (page.parent / "records.jsonl").is_file()
        for place in sources(page).pictures:
            assert (page.parent / unquote(place)).is_file(), (page, place)
