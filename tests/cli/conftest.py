"""What the tests of refusals share."""

from __future__ import annotations

import pytest

from commands import refusal


@pytest.fixture
def refuse(semveil, tmp_path):
    """Run a command that must refuse and leave its folder as it was; return its line."""

    def run(*words):
        before = sorted(tmp_path.rglob("*"))
        line = refusal(semveil(*words, folder=tmp_path))
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return run
