"""Opening an entry as the run that it was made from."""

from __future__ import annotations

from pathlib import Path

from semveil.experiment.run import Run
from semveil.experiment.training import Hardware
from semveil.zoo.entry import Entry
from semveil.zoo.places import CONFIG


def open_entry(entry: Entry, hardware: Hardware, root: Path | None = None) -> Run:
    """Return the run of an entry: its links, recipe and records, from the entry's own folder.

    Args:
        entry: A checked entry.
        hardware: Where its networks are put.
        root: Folder of the data sets; ``SEMVEIL_DATA`` if None.

    Raises:
        SemveilError: If its recipe is of another version, or its weights are of another recipe.
    """
    return Run.of_facts(entry.run, entry.folder / CONFIG, hardware, root)
