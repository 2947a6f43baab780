"""The index of papers."""

from __future__ import annotations

import json

import pytest

from commands import refusal, succeed
from papers.test_pages import RESULTS
from semveil.papers import PAPERS, overview
from semveil.papers.overview import in_words


@pytest.mark.slow
def test_the_index_follows_the_records():
    found = {paper["name"]: paper for paper in overview(RESULTS)}
    assert list(found) == sorted(PAPERS.names())
    size = found["size"]
    assert (size["command"], size["shows"]) == ("semveil study size", "Table III")
    assert size["records"] == str(RESULTS / "size" / "records.jsonl")
    assert {claim["claim"]: claim for claim in size["claims"]}[
        "Parameters are as in Table III"
    ] == {
        "claim": "Parameters are as in Table III",
        "source": "Table III",
        "confirmed": 6,
        "refuted": 0,
        "undecided": 0,
        "not judged": 0,
    }


def test_without_results_nothing_is_judged():
    for paper in overview():
        assert paper["records"] is None
        expected = "not measured" if paper["claims"] else "no claims"
        assert in_words(paper["claims"]) == expected


def test_the_command_prints_one_study_claim_by_claim(semveil, tmp_path):
    words = ("papers", "size", "--results", RESULTS)
    (paper,) = json.loads(succeed(semveil(*words, "--json", folder=tmp_path)).out)
    assert paper["name"] == "size"
    lines = succeed(semveil(*words, folder=tmp_path)).out.splitlines()
    assert len(lines) == 4 + len(paper["claims"])
    assert "  command: semveil study size" in lines
    last = paper["claims"][-1]
    assert lines[-1].endswith(f": {last['refuted']} refuted, {last['undecided']} undecided")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["papers", "atacks"], "unknown study 'atacks': did you mean 'attacks'?"),
        (["papers", "--results", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_what_is_not_there_is_one_line(semveil, tmp_path, words, said):
    assert refusal(semveil(*words, folder=tmp_path)).startswith(said)
