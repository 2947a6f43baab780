"""The index of papers: table or figure → command → records → what became of each claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semveil.papers.claims import Verdict
from semveil.papers.paper import PAPERS, Paper
from semveil.records import read_records
from semveil.report.select import frame

RECORDS = "records.jsonl"


def overview(results: Path | None = None, *names: str) -> list[dict[str, Any]]:
    """Return what papers show, what measures them and what records say; of all without names."""
    papers = {name: PAPERS.get(name) for name in sorted(names or PAPERS.names())}
    return [
        {
            "name": name,
            "description": paper.description,
            "source": paper.source,
            "shows": paper.shows,
            "package": PAPERS.origin(name),
            "command": f"semveil study {name}",
            **_judged(paper(), None if results is None else results / name / RECORDS),
        }
        for name, paper in papers.items()
    ]


def _judged(paper: Paper, path: Path | None) -> dict[str, Any]:
    if path is None or not path.exists():
        claims = [{"claim": one.claim, "source": one.source} for one in paper.claims().claims]
        return {"records": None, "claims": claims}
    found = paper.judge(frame(read_records(path)))
    return {
        "records": str(path),
        "claims": [
            {"claim": one.claim.claim, "source": one.claim.source, **one.counts} for one in found
        ],
    }


def in_words(claims: list[dict[str, Any]]) -> str:
    """Return how often claims were confirmed, refuted, left undecided and not judged."""
    if not claims:
        return "no claims"
    sums = {each.value: sum(claim.get(each.value, 0) for claim in claims) for each in Verdict}
    found = [f"{number} {verdict}" for verdict, number in sums.items() if number]
    return ", ".join(found) or "not measured"
