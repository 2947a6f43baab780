"""The page for those who decide: the verdict on a folder of pictures, first in the report."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import CommandLine, succeed

SMALL = {
    "data.image_size": "16",
    "link.width": "4",
    "train.epochs": "1",
    "train.batch": "16",
    "audit.inference": "[linear]",
    "audit.inversion": "[linear]",
    "audit.max_epochs": "1",
    "audit.rounds": "1",
}


@pytest.mark.slow
def test_one_command_leads_from_a_folder_to_a_verdict(semveil: CommandLine, tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    for number in range(60):
        squares = np.kron(drawn.random((4, 4, 3)), np.ones((4, 4, 1)))
        place = tmp_path / "street" / ("empty" if number % 2 else "person")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((squares * 255).astype(np.uint8)).save(place / f"{number}.png")
    guide = (Path(__file__).parents[2] / "docs" / "decide.md").read_text()
    (command,) = re.findall(r"^semveil run .*?(?=```)", guide, re.M | re.S)
    words = command.replace("\\\n", " ").replace("'", "").split()[1:]
    words = [word.replace("/data/street", str(tmp_path / "street")) for word in words]
    small = [f"--set={key}={value}" for key, value in SMALL.items()]
    succeed(semveil(*words, *small, folder=tmp_path))
    page = (tmp_path / "runs" / "street" / "report.html").read_text()
    first = page[page.index("<main>") :]
    assert first.index('<section id="summary">') == len("<main>\n")
    text = unescape(re.sub(r"<[^>]+>", "", first[: first.index("</section>")]))
    assert "deepjscc-image with rotation" in text
    assert "Eve at 13 dB, 3 dB above Bob" in text
    assert "Against the image" in text
    assert "whoever has it reads what Bob reads" in text
    assert "on 12 test images" in text
