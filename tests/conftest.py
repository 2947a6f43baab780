"""The command line, and a finished run, for the tests that need them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores; torch reads this when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

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
