"""Figures of the leaderboard: written together or not at all, refused if no page can show them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import CommandLine, Result, content, refusal, succeed

BOARD = Path(__file__).parents[2] / "leaderboard"
NAME = "digits-deepjscc"
# What takes minutes is replaced by what was found before, less one figure.
KNOWN = f"""
import semveil.leaderboard.score as score
from semveil.records import read_records
known = score.Path({str(BOARD / NAME / "records.jsonl")!r})
score.measure = lambda *_, **__: read_records(known)[1:]
"""
# There is room for the old figures and for run.json, and not for twice as many records.
FULL = """
import resource
found = score.measure
score.measure = lambda *_, **__: 2 * found()
most = known.stat().st_size + 1000
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
"""
KILL = """
import os, signal
import semveil.files as files
real, calls = os.{call}, []
def call(*given):
    calls.append(given)
    if len(calls) == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
os.{call} = call
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board with one entry that was scored."""
    shutil.copytree(BOARD / NAME, tmp_path / "board" / NAME)
    return tmp_path / "board"


@pytest.fixture
def score(semveil: CommandLine, board: Path) -> Callable[..., Result]:
    """``semveil leaderboard score``, with figures that are known already."""
    words = ("leaderboard", "score", board / NAME, "--quiet")
    return lambda before="": semveil(*words, before=KNOWN + before)


@pytest.fixture
def build(semveil: CommandLine, board: Path, tmp_path: Path) -> Callable[[], Result]:
    """``semveil leaderboard build``."""
    return lambda: semveil("leaderboard", "build", board, "--out", tmp_path / "pages", "--quiet")


def test_a_full_disk_leaves_the_figures_as_they_were(
    score: Callable[..., Result], board: Path
) -> None:
    before = content(board)
    assert "File too large" in refusal(score(FULL))
    assert content(board) == before
    succeed(score())
    assert len(content(board)) == len(before) + 2


@pytest.mark.parametrize(("call", "number"), [("fsync", 1), ("replace", 1), ("replace", 2)])
def test_after_a_kill_an_entry_is_scored_again_and_no_figure_is_lost(
    score: Callable[..., Result],
    build: Callable[[], Result],
    board: Path,
    call: str,
    number: int,
) -> None:
    old = (board / NAME / "records.jsonl").read_bytes()
    assert score(KILL.format(call=call, number=number)).code == -9
    again = score()
    assert again.code == 0
    # A warning tells of figures of which one file was replaced and the other one was not.
    assert ("wrong digest" in again.err) == ((call, number) == ("replace", 2))
    kept = [path.read_bytes() for path in board.glob("*/superseded/*/records.jsonl")]
    assert kept == [old]
    assert not list(board.rglob(".*"))
    succeed(build())


def test_figures_without_their_run_are_scored_again(
    score: Callable[..., Result], build: Callable[[], Result], board: Path
) -> None:
    (board / NAME / "run.json").unlink()
    assert "score it again" in refusal(build())
    succeed(score())
    succeed(build())


def restated(board: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the records of an entry, with the right digest."""
    folder = board / NAME
    rows = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    change(rows)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "records.jsonl").write_text(text)
    run = json.loads((folder / "run.json").read_text())
    run["records"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "run.json").write_text(json.dumps(run))


def each(key: str, value: Any, role: str | None = None) -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if key in row and role in (None, row["role"]):
                row[key] = value

    return change


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("value", None, "has no value"),
        ("value", float("nan"), "not a record"),
        ("value", float("inf"), "not a record"),
        ("value", 1e300, "value is more than"),
        ("value", 10**400, "value is out of range"),
        ("value", True, "value is of the wrong type"),
        ("ci_high", 1e300, "ci_high is more than"),
        ("ci_high", float("nan"), "not a record"),
        ("n", 1 << 70, "n is out of range"),
        ("psr_db", -(10**400), "psr_db is out of range"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_figures_that_no_page_can_show_are_refused(
    build: Callable[[], Result], board: Path, key: str, value: Any, said: str
) -> None:
    restated(board, each(key, value))
    line = refusal(build())
    assert f"{board / NAME / 'records.jsonl'}, line " in line
    assert said in line


def test_an_eve_whose_training_diverged_is_shown(build: Callable[[], Result], board: Path) -> None:
    restated(board, each("value", None, role="eve"))
    succeed(build())


def test_what_was_measured_and_is_no_number_is_not_written(
    score: Callable[..., Result], board: Path
) -> None:
    before = content(board)
    spoilt = """
import dataclasses, math
found = score.measure
score.measure = lambda *_, **__: [dataclasses.replace(one, value=math.nan) for one in found()]
"""
    assert "has no value" in refusal(score(spoilt))
    assert content(board) == before
