"""What a study is: independent jobs, and the page and figures made of their records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import semveil.studies
from semveil.errors import unknown
from semveil.experiment.jobs import Job

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["BUDGETS", "Job", "Study", "get", "names", "nested"]

BUDGETS = ("smoke", "cpu", "full")


@dataclass(frozen=True)
class Page:
    """A page, Markdown, and what draws its figures, by file name."""

    text: str
    figures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """One published table or figure.

    Attributes:
        name: Its name on the command line and in the records.
        title: One line about it.
        jobs: Budget and seed → jobs.
        render: Frame of all records → the page with its figures.
        pictures: Folder of the jobs and the jobs → pictures by file name that show the user's own
            images: drawn beside the page. Unless the terms of the set allow it, they are named
            nowhere in it, and not for handing on.
    """

    name: str
    title: str
    jobs: Callable[[str, int], list[Job]]
    render: Callable[[pd.DataFrame], Page]
    pictures: Callable[[Path, Sequence[Job]], Mapping[str, Figure]] | None = None


def in_code(
    figures: Callable[[pd.DataFrame], Mapping[str, Figure]], page: Callable[[pd.DataFrame], str]
) -> Callable[[pd.DataFrame], Page]:
    """Return the ``render`` of a study whose page and figures are functions."""

    def render(table: pd.DataFrame) -> Page:
        drawn = figures(table)
        return Page(page(table), {name: partial(drawn.__getitem__, name) for name in drawn})

    return render


def names() -> list[str]:
    """Return the studies there are: the files beside this one that define ``STUDY``.

    Example:
        >>> "latent-dimension" in names()
        True
    """
    # Read, not imported: listing what there is must not load all that it needs.
    files = (path for folder in semveil.studies.__path__ for path in Path(folder).glob("*.py"))
    return sorted(
        path.stem.replace("_", "-") for path in files if "\nSTUDY = Study(" in path.read_text()
    )


def get(name: str) -> Study:
    """Return a study by name.

    Raises:
        SemveilError: If there is none, with the nearest name.

    Example:
        >>> get("latent-dimension").name
        'latent-dimension'
    """
    if name not in names():
        raise unknown("study", name, names())
    study = import_module(f"semveil.studies.{name.replace('-', '_')}").STUDY
    assert isinstance(study, Study)
    return study


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested sections.

    Example:
        >>> nested({"link.latent_dim": 8, "scheme": "minmax"})
        {'link': {'latent_dim': 8}, 'scheme': 'minmax'}
    """
    plain: dict[str, Any] = {}
    for key, value in settings.items():
        *path, last = key.split(".")
        section = plain
        for part in path:
            section = section.setdefault(part, {})
        section[last] = value
    return plain
