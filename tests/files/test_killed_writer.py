"""A writer that is killed at any moment leaves a whole file: the old one or the new one."""

from __future__ import annotations

import random
import signal
import time

from commands import eventually
from semveil.files import remove_scraps
from semveil.train.checkpoint import load_tensors

# Versions of different sizes, so that a mixture of two could not be mistaken for one of them.
WRITER = """
import os, pathlib, torch
torch.set_num_threads(1)
from semveil.train.checkpoint import save_tensors
version = {first}
sets = [{{f"w{{n}}": torch.empty(150_000 + odd) for n in range(8)}} for odd in (0, 1)]
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


def test_a_checkpoint_is_whole_after_a_kill_at_any_moment(semveil, tmp_path):
    draw = random.Random(11)
    path, log = tmp_path / "x.safetensors", tmp_path / "log"
    written = 0
    in_the_middle = 0
    for kill in range(KILLS):
        size = log.stat().st_size if log.exists() else 0
        writer = semveil.start(instead=LOG + WRITER.format(first=written + 1), folder=tmp_path)
        # One version is written for sure; then every other kill waits for nothing, and the rest
        # until the next version is being written.
        eventually(lambda size=size: log.exists() and log.stat().st_size > size, "it writes")
        if kill % 2:
            eventually(lambda: any(tmp_path.glob(".x.safetensors.*")), "it writes again")
            time.sleep(draw.uniform(0, 0.01))
        else:
            time.sleep(draw.uniform(0, 0.1))
        writer.send(signal.SIGKILL)
        assert writer.wait().code == -signal.SIGKILL
        told = int(log.read_text().split()[-1])
        tensors, facts = load_tensors(path)
        # What was written stays written; of the version after it, all is there or nothing.
        written = facts["version"]
        assert written in (told, told + 1)
        assert len(tensors) == 8
        for tensor in tensors.values():
            assert tensor.shape == (150_000 + written % 2,)
            assert bool((tensor == written).all())
        in_the_middle += any(tmp_path.glob(".x.safetensors.*"))
        remove_scraps(tmp_path)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "x.safetensors"]
    # Else the kills would have missed what they were meant for.
    assert in_the_middle >= 3, in_the_middle
