"""Scoring an entry by the full standard suite."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import torch

from semveil.evaluation.measure import Progress
from semveil.experiment.provenance import provenance
from semveil.files import remove_scraps, replaced_files
from semveil.leaderboard.attacks import measure_attack
from semveil.leaderboard.check import measure, open_board
from semveil.leaderboard.entry import (
    RECORDS,
    RUN,
    STATED,
    BoardEntry,
    LinkFacts,
    read_board_entry,
    supersede,
    write_score,
)
from semveil.leaderboard.submission import STUDY, open_submission
from semveil.leaderboard.suite import SUITE, full, list_digest
from semveil.records import Record


def score(
    folder: str | Path, *, data: Path | None = None, progress: Progress | None = None
) -> BoardEntry:
    """Score an entry: all test images, all eavesdroppers and attacks of the suite.

    Figures that it has already are kept in ``superseded/``, and the pages mark them so.

    Args:
        folder: Folder of the entry, in the folder of the board.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Returns:
        The entry, with its figures.

    Raises:
        SemveilError: If the entry is refused.
    """
    if (Path(folder) / STATED).is_file():
        # What a killed scoring left would be refused as no file of an entry.
        remove_scraps(Path(folder))
    entry, board = open_board(Path(folder))
    facts, started = entry.facts, time.process_time()
    records: list[Record]
    if isinstance(facts, LinkFacts):
        submission = open_submission(entry, data)
        suite = full(submission.system, len(submission.splits.test))
        records = measure(submission, suite, on_list=False, progress=progress)
    else:
        records = measure_attack(entry, board[facts.against], data)
    stated = {
        "study": STUDY,
        "suite": SUITE,
        "images": list_digest(facts.data),
        "subject": entry.subject,
        "cpu_s": round(time.process_time() - started, 1),
    } | provenance(torch.device("cpu"), 1)
    # How things are drawn follows from the package.
    kept = {key: each for key, each in stated.items() if key not in ("styles", "traits")}
    _write(entry.folder, write_score(kept, records, entry.folder))
    return read_board_entry(entry.folder)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write figures together; those that are there already become superseded ones."""
    with replaced_files({folder / name: files[name] for name in (RECORDS, RUN)}):
        supersede(folder)
