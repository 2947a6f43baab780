"""The lines of the documentation's page on the air, in a fresh folder."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from commands import succeed

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_line_runs_as_printed(semveil, tmp_path):
    pictures = tmp_path / "docs" / "assets" / "digits"
    shutil.copytree(ROOT / "docs" / "assets" / "digits", pictures)
    page = (ROOT / "docs" / "air.md").read_text()
    lines = "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).splitlines()
    outputs = {}
    for line in lines:
        if line.startswith("head -c 32"):
            (tmp_path / "key").write_bytes(bytes(range(32)))
            continue
        before = ""
        if "<" in line:
            line, file = line.split(" < ")
            before = f"import os; os.dup2(os.open({file!r}, os.O_RDONLY), 0)"
        name, *words = shlex.split(line)
        assert name == "semveil"
        outputs[line] = succeed(semveil(*words, folder=tmp_path, before=before)).out
    decoded = [out for line, out in outputs.items() if line.startswith("semveil receive")]
    assert len(decoded) == 4
    assert all("5 of 5 frames decoded" in out for out in decoded)
    assert (tmp_path / "heard.html").exists()
    assert len(list((tmp_path / "heard-received").iterdir())) == 5
