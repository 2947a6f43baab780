"""Links of the zoo for studies, instead of training them again."""

from __future__ import annotations

from pathlib import Path

from semveil.experiment.checkpoint_cache import keep_links, kept_links
from semveil.recipe import check
from semveil.records import from_plain
from semveil.zoo.entry import MODEL, read_entry
from semveil.zoo.places import entries


def stock(links: Path) -> None:
    """Put the links of the zoo into a folder of trained links, where they are not yet.

    Whatever asks the folder for a link of the same recipe and seed then takes the entry's, with the
    precision in which it is stored. Entries without the simulated Eve of their training are left
    out: a study measures her too.

    Args:
        links: The folder; made if missing.

    Raises:
        SemveilError: If an entry is damaged.
    """
    for name, (folder, _) in entries().items():
        entry = read_entry(folder, name)
        run = entry.facts.run
        if not run.simulated_eve:
            continue
        schemes = [from_plain(each) for each in run.schemes]
        kept = kept_links(links, check(entry.run["recipe"]), run.seed, schemes)
        if not kept.exists():
            origin = {"code": [], "entry": {"name": name, "digest": entry.facts.digest}}
            keep_links(kept, (folder / MODEL).read_bytes(), origin)
