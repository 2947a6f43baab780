"""A writer that is killed at any moment leaves a whole file: the old one or the new one."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest

from commands import PATIENCE_S, eventually
from semveil.files import remove_scraps
from semveil.training.checkpoint import load_tensors

# Versions of different sizes, so that a mixture of two could not be mistaken for one of them.
WRITER = """
import os, pathlib, torch
torch.set_num_threads(1)
from semveil.training.checkpoint import save_tensors
version = {first}
sets = [{{f"w{{n}}": torch.empty(250_000 + odd) for n in range(8)}} for odd in (0, 1)]
while True:
    tensors = sets[version % 2]
    for tensor in tensors.values():
        tensor.fill_(version)
    save_tensors(pathlib.Path("x.safetensors"), tensors, {{"version": version}})
    os.write(log, f"{{version}}\\n".encode())
    version += 1
"""
LOG = 'import os; log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n'
KILLS = 24


@pytest.fixture
def folder(tmp_path):
    """A folder in memory, where there is one: no time goes by but in the writing itself."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.mark.slow
def test_a_checkpoint_is_whole_after_a_kill_at_any_moment(semveil, folder):
    draw = random.Random(11)
    path, log = folder / "x.safetensors", folder / "log"
    written = 0
    in_the_middle = 0
    for kill in range(KILLS):
        size = log.stat().st_size if log.exists() else 0
        writer = semveil.start(instead=LOG + WRITER.format(first=written + 1), folder=folder)
        # One version is written for sure; then every other kill waits for nothing, and the rest
        # until the next version is being written.
        eventually(lambda size=size: log.exists() and log.stat().st_size > size, "it writes")
        if kill % 2:
            deadline = time.monotonic() + PATIENCE_S
            while not any(name.startswith(".x.") for name in os.listdir(folder)):
                assert time.monotonic() < deadline
            time.sleep(draw.uniform(0, 0.004))
        else:
            time.sleep(draw.uniform(0, 0.05))
        writer.send(signal.SIGKILL)
        assert writer.wait().code == -signal.SIGKILL
        told = int(log.read_text().split()[-1])
        tensors, facts = load_tensors(path)
        # What was written stays written; of the version after it, all is there or nothing.
        written = facts["version"]
        assert written in (told, told + 1)
        assert len(tensors) == 8
        for tensor in tensors.values():
            assert tensor.shape == (250_000 + written % 2,)
            assert bool((tensor == written).all())
        in_the_middle += any(folder.glob(".x.safetensors.*"))
        remove_scraps(folder)
        assert sorted(file.name for file in folder.iterdir()) == ["log", "x.safetensors"]
    # Else the kills would have missed what they were meant for.
    assert in_the_middle >= 3, in_the_middle
