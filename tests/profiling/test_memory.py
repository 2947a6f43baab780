"""A process that measures memory: ended together with the command that started it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from commands import eventually

MEASURE = """
import os, time
from semveil.profiling.memory import in_own_process
try:
    in_own_process(time.sleep, 600)
except KeyboardInterrupt:
    os._exit(130)
"""


def descendants(pid: int) -> list[int]:
    children = []
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def lives(pid: int) -> bool:
    """Return whether a process runs: one that has ended stays until its parent asks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell")
# First the server of processes and the tracker of resources begin, then the process itself.
@pytest.mark.parametrize("begun", [2, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_helpers_end_with_the_command(semveil, number, begun):
    command = semveil.start(instead=MEASURE)
    eventually(lambda: len(descendants(command.pid)) >= begun, "helpers begin")
    helpers = descendants(command.pid)
    command.send(number)
    if number == signal.SIGINT:
        # As Ctrl-C in a terminal, which reaches all of them.
        for helper in helpers:
            os.kill(helper, number)
    assert command.wait().code == (130 if number == signal.SIGINT else -number)
    eventually(lambda: not any(map(lives, helpers)), "they end too")
    # A command that is killed may leave half a message, about which a helper may complain.
    assert number == signal.SIGKILL or (command.streams / "err").read_text() == ""
