"""A small zoo of one keyed link, made by the commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import CommandLine, Result, succeed

SMALL = ["data.limit=320", "link.width=4", "train.epochs=2", "train.batch=16"]
NAME = "digits/tiny"


@pytest.fixture(scope="session")
def trained(semveil: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run of a keyed scheme; not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    changes = [f"--set={change}" for change in SMALL]
    succeed(semveil("train", "rotation-digits", *changes, "--seed", "3", "--out", folder))
    return folder


@pytest.fixture(scope="session")
def packed(semveil: CommandLine, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one entry; not to be changed."""
    root = tmp_path_factory.mktemp("packed") / "zoo"
    succeed(semveil("zoo", "pack", trained, NAME, "--out", root, "--weights", "bfloat16"))
    return root


@pytest.fixture
def zoo(packed: Path, tmp_path: Path) -> Path:
    """A folder with one entry that may be changed."""
    return shutil.copytree(packed, tmp_path / "zoo")


@pytest.fixture
def command(semveil: CommandLine, zoo: Path, tmp_path: Path) -> Callable[..., Result]:
    """``semveil zoo``, with ``SEMVEIL_ZOO`` and a cache of its own."""
    environment = {"SEMVEIL_ZOO": str(zoo), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(*words: str | Path, before: str = "", **variables: str) -> Result:
        return semveil(
            "zoo", *words, folder=tmp_path, environment=environment | variables, before=before
        )

    return run
