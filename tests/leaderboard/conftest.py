"""A board with links of others, made by the commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import CommandLine, Result, succeed
from leaderboard_entries import train_and_add


@pytest.fixture(scope="session")
def entered(semveil: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with a link and a defence from outside, and a link of the zoo; not to be changed."""
    place = tmp_path_factory.mktemp("entered")
    board = place / "board"
    train_and_add(semveil, place, board, "deepjscc-digits")
    train_and_add(semveil, place, board, "rotation-digits")
    succeed(semveil("leaderboard", "add", "digits/residual-jscc", "--board", board))
    return board


@pytest.fixture
def board(entered: Path, tmp_path: Path) -> Path:
    """The same board, to be changed."""
    return shutil.copytree(entered, tmp_path / "board")


@pytest.fixture
def check(semveil: CommandLine) -> Callable[..., Result]:
    """``semveil leaderboard check``."""
    return lambda entry, **how: semveil("leaderboard", "check", entry, "--quiet", **how)
