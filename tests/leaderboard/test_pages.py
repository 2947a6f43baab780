"""The pages of the leaderboard, as they are built from the repository's entries."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from browser import CHROMIUM, chromium, looked_at
from commands import CommandLine, succeed
from semveil.leaderboard.check import EFFORT
from semveil.leaderboard.entry import LinkFacts, ModelFile, raised_flags, read_board
from semveil.zoo.places import EMBEDDED, Place, checkout

BOARD = Path(__file__).parents[2] / "leaderboard"
SORT = """
<script>
addEventListener("load", () => {
  const table = document.querySelector("#task-privacy table");
  const column = [...table.tHead.rows[0].cells].findIndex(
    (head) => head.textContent.startsWith("strongest Eve"));
  const read = () => [...table.tBodies].map((body) => [...body.querySelectorAll("tr:not(.group)")]
    .map((row) => row.cells[column].dataset.sort).join(" ")).join("|");
  const button = table.tHead.rows[0].cells[column].querySelector("button");
  button.click();
  const down = read();
  button.click();
  document.documentElement.setAttribute("data-sorted", down + ";" + read());
});
</script>
"""


class Addresses(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for key, value in attrs if key in ("href", "src")]


@pytest.fixture(scope="module")
def pages(semveil: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages."""
    out = tmp_path_factory.mktemp("pages") / "built"
    assert succeed(semveil("leaderboard", "build", BOARD, "--out", out)).out.strip() == str(
        out / "index.html"
    )
    return out


def test_every_entry_has_a_page_and_a_row(pages: Path) -> None:
    names = {path.parent.name for path in BOARD.glob("*/entry.yaml")}
    assert {path.stem for path in pages.iterdir()} == {"index", *names}
    index = (pages / "index.html").read_text()
    for name in names:
        assert f'href="{name}.html"' in index


def test_every_link_of_the_zoo_is_an_entry() -> None:
    facts = [entry.facts for entry in read_board(BOARD).values()]
    models = [each.model for each in facts if isinstance(each, LinkFacts)]
    named = {model.zoo for model in models if isinstance(model, ModelFile)}
    ours = [Place(folder, "").entries() for folder in (checkout(), EMBEDDED) if folder]
    assert named - {None} == set().union(*ours)


def test_scored_entries_state_the_flags_that_they_raise() -> None:
    for entry in read_board(BOARD).values():
        if entry.score is not None:
            raised = {*raised_flags(entry.score.records)} - EFFORT
            assert raised <= {*entry.facts.flags}, entry.name


def test_an_entry_without_figures_says_so(pages: Path) -> None:
    waiting = [entry for entry in read_board(BOARD).values() if entry.score is None]
    index = (pages / "index.html").read_text()
    assert index.count("not scored yet") == sum(
        len(entry.facts.tracks) for entry in waiting if isinstance(entry.facts, LinkFacts)
    )


# Bob's, Eve's and an attack's figures on the fixed list, of each kind of link.
SOME = ["digits-rotation", "digits-classical", "digits-deepjscc", "apgd-digits-deepjscc"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_committed_figures_are_found_again(semveil: CommandLine, name: str) -> None:
    assert "within intervals" in succeed(semveil("leaderboard", "check", BOARD / name)).out


def test_an_eve_runs_the_receiver_of_a_link_that_nothing_protects(pages: Path) -> None:
    # Networks do not learn to decode its channel code: trained Eves stay at chance.
    assert "Bob’s receiver" in (pages / "digits-classical.html").read_text()
    assert "Bob’s receiver" not in (pages / "digits-rotation.html").read_text()


def test_pages_lead_nowhere_else(pages: Path) -> None:
    for page in pages.iterdir():
        parser = Addresses()
        parser.feed(page.read_text())
        for address in parser.found:
            inside = address.startswith(("#", "data:")) or (pages / address).is_file()
            assert inside, (page.name, address)


def test_the_same_records_give_the_same_bytes(
    semveil: CommandLine, pages: Path, tmp_path: Path
) -> None:
    succeed(semveil("leaderboard", "build", BOARD, "--out", tmp_path / "again"))
    for page in pages.iterdir():
        assert (tmp_path / "again" / page.name).read_bytes() == page.read_bytes()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["index", "digits-rotation"])
def test_pages_fit_the_window(
    pages: Path, tmp_path: Path, name: str, width: int, dark: bool
) -> None:
    seen: dict[str, Any] = looked_at(pages / f"{name}.html", tmp_path, width, dark=dark)
    assert seen["overflow"] == 0
    assert seen["loaded"] == 0
    assert seen["background"] == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (500, 844)])
def test_pages_can_be_painted(pages: Path, tmp_path: Path, width: int, height: int) -> None:
    picture = tmp_path / f"{width}.png"
    chromium(tmp_path, pages / "index.html", width, height, f"--screenshot={picture}")
    with Image.open(picture) as painted:
        assert painted.size == (width, height)
        assert len(painted.convert("L").getcolors() or []) > 20


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_a_title_sorts_its_column(pages: Path, tmp_path: Path) -> None:
    text = (pages / "index.html").read_text()
    # The page's policy allows its own script alone; that it runs under it is seen by its effect.
    policy = re.search(r"script-src '([^']+)'", text)
    assert policy is not None
    probe = tmp_path / "probe.html"
    allowed = text.replace(policy[0], f"{policy[0]} 'nonce-probe'")
    script = SORT.replace("<script>", '<script nonce="probe">')
    probe.write_text(allowed.replace("</body>", script + "</body>"))
    dom = chromium(tmp_path, probe, 1280, 900, "--dump-dom", "--virtual-time-budget=5000")
    match = re.search(r'data-sorted="([^"]*)"', dom)
    assert match is not None
    down, up = ([group.split() for group in part.split("|")] for part in match[1].split(";"))
    assert any(len(set(group)) > 2 for group in up)
    for one, other in zip(up, down, strict=True):
        assert one == sorted(one, key=float)
        assert other == sorted(other, key=float, reverse=True)
