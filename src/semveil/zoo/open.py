"""Opening an entry as the run that it was made from."""

from __future__ import annotations

import json
from pathlib import Path

from semveil.errors import SemveilError, shown
from semveil.experiment.run import FACTS, Run
from semveil.experiment.training import Hardware
from semveil.facts import RunFacts, check_facts, read_facts
from semveil.files import new_folder
from semveil.training.checkpoint import load_tensors
from semveil.zoo.entry import MODEL, Entry
from semveil.zoo.places import CONFIG


def open_entry(entry: Entry, hardware: Hardware, root: Path | None = None) -> Run:
    """Return the run of an entry: its links, recipe and records, from the entry's own folder.

    Args:
        entry: A checked entry.
        hardware: Where its networks are put.
        root: Folder of the data sets; ``SEMVEIL_DATA`` if None.

    Raises:
        SemveilError: If its recipe is of another version, or its weights are not finite or of
            another recipe.
    """
    check_weights(entry)
    return Run.of_facts(entry.run, entry.folder / CONFIG, hardware, root)


def check_weights(entry: Entry) -> None:
    """Refuse weights of an entry that are damaged or not finite; no link of ours has such."""
    path = entry.folder / MODEL
    tensors, _ = load_tensors(path, digest_required=True)
    for name, tensor in sorted(tensors.items()):
        if not bool(tensor.isfinite().all()):
            raise SemveilError(f"{path} is damaged: {shown(name)} has values that are not finite")


def unpack(entry: Entry, runs: Path) -> Path:
    """Return the folder of a run with an entry's weights, in which can be audited and attacked.

    Args:
        entry: A checked entry.
        runs: Folder of runs; the run of ``digits/ibal`` is its ``digits-ibal``. One that was
            unpacked before is used again, with what was measured in it.

    Raises:
        SemveilError: If another run has this folder.
    """
    name, digest = entry.facts.name, entry.facts.digest
    folder = runs / name.replace("/", "-")
    if not folder.exists():
        check_weights(entry)
        facts = entry.run | {"entry": {"name": name, "digest": digest}}
        weights = (entry.folder / MODEL).read_bytes()
        new_folder(folder, {FACTS: json.dumps(facts, indent=1) + "\n", MODEL: weights})
        return folder
    missing = f"{folder} is in the way of a run of {name}: move it"
    path = folder / FACTS
    origin = check_facts(read_facts(path, RunFacts, missing), RunFacts, path).entry
    if origin is None or origin.digest != digest:
        raise SemveilError(f"{folder} holds another run than {name} of this version: move it")
    return folder
