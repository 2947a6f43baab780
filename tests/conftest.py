"""The command line, and a finished run, for the tests that need them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import SMALL, CommandLine, succeed


@pytest.fixture(scope="session")
def semveil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line: ``semveil("run", "quickstart")``."""
    line = CommandLine(tmp_path_factory.mktemp("commands"))
    yield line
    line.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, semveil: CommandLine) -> Path:
    """The folder of a small run with seed 0; not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    succeed(semveil("run", "quickstart", *SMALL, "--out", folder))
    return folder
