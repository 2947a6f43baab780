"""The lines of the documentation's page on the air, in a fresh folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import succeed

ROOT = Path(__file__).parents[2]


COLOUR = "### Pictures in colour"


def page():
    """Return the page in two parts: what every checkout can run, and what needs CIFAR-10."""
    text = (ROOT / "docs" / "air.md").read_text()
    before, rest = text.split(COLOUR)
    colour, after = rest.split("\n## ", 1)
    return before + after, colour


def shell(text):
    return "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()


@pytest.mark.slow
def test_every_line_runs_as_printed(semveil, tmp_path):
    pictures = tmp_path / "docs" / "assets" / "digits"
    shutil.copytree(ROOT / "docs" / "assets" / "digits", pictures)
    lines = shell(page()[0])
    outputs = {}
    for line in lines:
        if line.startswith("head -c 32"):
            (tmp_path / "key").write_bytes(bytes(range(32)))
            continue
        if " | " in line:
            piped = line.replace("semveil ", f"{sys.executable} -m semveil ")
            subprocess.run(piped, shell=True, check=True, cwd=tmp_path, capture_output=True)
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


@pytest.mark.slow
@pytest.mark.skipif(
    "SEMVEIL_DATA" not in os.environ or not (ROOT / "zoo" / "cifar10").exists(),
    reason="needs CIFAR-10 at SEMVEIL_DATA and the zoo of a checkout",
)
def test_links_of_the_zoo_send_pictures_in_colour(semveil, tmp_path):
    text = page()[1]
    (code,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    data = {"SEMVEIL_DATA": os.environ["SEMVEIL_DATA"]}
    succeed(semveil(instead=code, folder=tmp_path, environment=data))
    outputs = []
    for line in shell(text):
        words = shlex.split(line)[1:]
        outputs.append(succeed(semveil(*words, folder=tmp_path, environment=data)).out)
    _, _, pictures, _, _, _, answers = outputs
    quality = list(map(float, re.findall(r"^ +\d+ .* (\d+\.\d) *$", pictures, re.MULTILINE)))
    assert "8 of 8 frames decoded" in pictures
    assert "PSNR (dB)" in pictures
    assert len(quality) == 8
    assert min(quality) > 20
    assert "8 of 8 frames decoded" in answers
    assert len(list((tmp_path / "colour-heard-received").iterdir())) == 8
    assert (tmp_path / "colour-heard.html").exists()
