"""Every part of a page that holds an accuracy states chance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from semveil.papers import PAPERS
from semveil.records import read_records
from semveil.report.select import frame

RESULTS = Path(__file__).parents[2] / "results"
MEASURED = [path.parent.name for path in sorted(RESULTS.glob("*/records.jsonl"))]


def parts(text: str) -> list[tuple[str, str]]:
    """Return headings with what stands under them."""
    found = re.split(r"^#+ (.*)$", text, flags=re.M)
    return list(zip(found[1::2], found[2::2], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MEASURED if name in PAPERS])
def test_a_table_of_accuracies_stands_under_chance(name: str) -> None:
    table = frame(read_records(RESULTS / name / "records.jsonl"))
    page = PAPERS.get(name)().render(table).text
    before_claims = page.partition("## Claim by claim")[0]
    for title, part in parts(before_claims):
        heads = re.findall(r"^(\|.*\|)\n\| ---", part, flags=re.M)
        if any(re.search(r"accuracy|Bob.*%|top-1|Eve.*%", f"{title} {head}") for head in heads):
            assert re.search(r"chance|most frequent class", f"{title}\n{part}", re.I), title
