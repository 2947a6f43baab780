"""What a paper is here: a folder of data, registered by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from semveil.errors import SemveilError
from semveil.experiment.jobs import Job
from semveil.papers import jobs, page
from semveil.papers.claims import Claims, Judged, load, verdicts
from semveil.papers.values import Selector, function
from semveil.records import Record
from semveil.registry import Registry

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

JOBS, CLAIMS, PAGE = "jobs.yaml", "claims.yaml", "page.md.j2"


class _Stated:
    """A key of the paper's ``jobs.yaml``, read when it is asked for."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, paper: object, kind: type[Paper]) -> Any:
        return getattr(_jobs(kind.folder / JOBS), self.key)


class Paper:
    """One table or figure of a paper: what is run, what is claimed, the page.

    A package adds one by registering a class with a name and a folder::

        @PAPERS.register
        class Mine(Paper):
            name = "mine"
            folder = Path(__file__).parent / "mine"

    Attributes:
        name: Its name on the command line and in the records.
        folder: Where its ``jobs.yaml``, ``claims.yaml`` and ``page.md.j2`` lie.
        description: One line about it.
        source: The paper.
        shows: Its table or figure.
        rank: Its place among the studies that are reproduced; the lowest comes first.
    """

    name: ClassVar[str]
    folder: ClassVar[Path]
    description: ClassVar[str] = _Stated("title")  # type: ignore[assignment]
    source: ClassVar[str] = _Stated("citation")  # type: ignore[assignment]
    shows: ClassVar[str] = _Stated("shows")  # type: ignore[assignment]
    rank: ClassVar[int] = _Stated("rank")  # type: ignore[assignment]

    def jobs(self, budget: str, seed: int) -> list[Job]:
        """Return the jobs of a budget."""
        path = self.folder / JOBS
        try:
            return jobs.expand(_jobs(path), self.name, budget, seed)
        except SemveilError as error:
            raise SemveilError(f"{path}: {error}") from error

    def kept(self, records: Sequence[Record], budget: str) -> list[Record]:
        """Return the records of its jobs but for those that ``omitted_records`` leaves out."""
        selections = jobs.omitted(_jobs(self.folder / JOBS), budget)
        if not selections:
            return list(records)
        from semveil.report.select import frame

        selector, omitted = Selector(frame(records)), set[int]()
        for fields in selections:
            omitted |= set(selector.rows(fields).index)
        return [record for at, record in enumerate(records) if at not in omitted]

    def claims(self) -> Claims:
        """Return what the paper claims."""
        return load(self.folder / CLAIMS)

    def judge(self, table: pd.DataFrame) -> list[Judged]:
        """Judge its claims by a frame of records."""
        return verdicts(self.claims(), table)

    def render(self, table: pd.DataFrame) -> page.Page:
        """Return the page of a frame of records, with its figures."""
        from semveil.adversary.perturb import ATTACKS
        from semveil.schemes import SCHEMES
        from semveil.training import TRAININGS

        for registry in (SCHEMES, ATTACKS, TRAININGS):
            registry.load()  # figures ask how things are drawn
        claims = self.claims()
        judged = verdicts(claims, table)
        return page.render(self.folder / PAGE, table, judged, claims.values)

    def pictures(self, place: Path, done: Sequence[Job]) -> Mapping[str, Figure]:
        """Return pictures of the user's own images, by file name, to be drawn beside the page."""
        # Unless the terms of the set allow it they are named nowhere in it, for they are not for
        # handing on.
        name = _jobs(self.folder / JOBS).pictures
        drawn: Mapping[str, Figure] = {} if name is None else function(name)(place, done)
        return drawn


@cache
def _jobs(path: Path) -> jobs.Jobs:
    return jobs.load(path)


PAPERS: Registry[Paper] = Registry("study", "semveil.papers.ours", plural="papers")
