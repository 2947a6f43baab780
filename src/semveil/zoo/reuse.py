"""Links of the zoo for studies, instead of training them again."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from semveil import recipe as recipes
from semveil.errors import SemveilError, SemveilWarning
from semveil.experiment.checkpoint_cache import UNKNOWN, keep_links, kept_links
from semveil.experiment.jobs import Job
from semveil.experiment.plan import complete
from semveil.records import from_plain
from semveil.zoo.entry import MODEL, Entry, file_facts, read_config, read_entry
from semveil.zoo.open import check_weights
from semveil.zoo.places import CONFIG, entries, published


def stock(links: Path, jobs: Sequence[Job]) -> list[str]:
    """Put the links of the zoo that jobs train into a folder of trained links.

    Whatever asks the folder for a link of the same recipe and seed then takes the entry's, with the
    precision in which it is stored. Links that are there stay. Entries without the simulated Eve of
    their training are left out: a study measures her too. Of adversarially trained entries those
    count that begin with the link of a job. An index vouches for the code that trained an entry;
    without one it is unknown, with a warning.

    Args:
        links: The folder; made if a link is put there.
        jobs: The jobs.

    Returns:
        Names of the entries whose links were put there.

    Raises:
        SemveilError: As :func:`needed`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from semveil.recipe import Recipe
        >>> from semveil.records import SystemName
        >>> mine = Job("mine", Recipe(scheme="ibal"), (SystemName("ibal"),))
        >>> with TemporaryDirectory() as folder:
        ...     stock(Path(folder), [mine])  # no entry was trained by this recipe
        []
    """
    wanted, indexed = needed(links, jobs), published()
    for kept, entry in wanted.items():
        name = entry.facts.name
        known = indexed.get(name) == file_facts((entry.folder / CONFIG).read_bytes())
        if not known:
            text = f"{name} is in no index: results of its link are of an unknown commit"
            warnings.warn(text, SemveilWarning, stacklevel=2)
        origin = {
            "code": [] if known else UNKNOWN,
            "entry": {"name": name, "digest": entry.facts.digest},
        }
        keep_links(kept, (entry.folder / MODEL).read_bytes(), origin)
    return [entry.facts.name for entry in wanted.values()]


def needed(links: Path, jobs: Sequence[Job]) -> dict[Path, Entry]:
    """Return the entries that :func:`stock` puts into a folder, by their places there, checked.

    Args:
        links: The folder; it need not exist.
        jobs: The jobs.

    Raises:
        SemveilError: If an entry that is needed is damaged, or the ``config.json`` of any of the
            same data sets, or if ``SEMVEIL_ZOO`` names no folder.
    """
    # The set of an entry is the data set of its recipe: others need not be read.
    sets = {job.recipe.data.name for job in jobs}
    here = {name: folder for name, (folder, _) in entries().items()} if sets else {}
    found = {
        name: read_config(folder) for name, folder in here.items() if name.partition("/")[0] in sets
    }
    known = {name: entry for name, entry in found.items() if entry.facts.run.simulated_eve}
    trained = {_trained(links, job) for job in jobs} if known else set()
    wanted = {}
    for name, entry in known.items():
        kept, begun = _kept(links, entry)
        if begun in trained and kept not in wanted and not kept.exists():
            wanted[kept] = read_entry(entry.folder, name)
            check_weights(wanted[kept])
    return wanted


def _trained(links: Path, job: Job) -> Path | None:
    """Return where the links of a job are kept; None if it measures what is no scheme."""
    try:
        recipe = complete(job.schemes, job.recipe)
        return kept_links(links, recipe, job.seed, job.schemes)
    except SemveilError:
        return None


def _kept(links: Path, entry: Entry) -> tuple[Path, Path]:
    """Return where the links of an entry are kept, and those with which its training began."""
    run = entry.facts.run
    schemes = [from_plain(each) for each in run.schemes]
    recipe = recipes.check(entry.run["recipe"])
    plain = recipes.update(recipe, {"harden": {"method": "none"}})
    kept, begun = (kept_links(links, each, run.seed, schemes) for each in (recipe, plain))
    return kept, begun
