"""A local HTTP server that misbehaves on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from web import Server, running


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("semveil.data.download.PAUSE", 0.0)
    with running() as found:
        yield found
