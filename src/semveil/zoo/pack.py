"""Making an entry of a trained run."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from semveil.data import DATASETS
from semveil.data.registry import is_folder
from semveil.errors import SemveilError, shown
from semveil.evaluation.measure import measure_bob
from semveil.experiment.card import card_of, measured_figures
from semveil.experiment.link import Link
from semveil.experiment.plan import requested
from semveil.experiment.run import Run, image_facts
from semveil.experiment.training import Hardware, identity
from semveil.files import replaced_folder, standing_folder, temporary_folder
from semveil.recipe import Recipe
from semveil.records import Record, named, read_records, short_line, to_plain
from semveil.training.checkpoint import save_tensors
from semveil.zoo.card import card_text
from semveil.zoo.check import checks_of, sent_values
from semveil.zoo.entry import (
    CARD,
    FORMAT,
    MODEL,
    RECORDS,
    digest_of,
    file_facts,
    read_config,
    read_entry,
    texts,
)
from semveil.zoo.places import (
    CONFIG,
    EMBEDDED,
    VARIABLE,
    checkout,
    held_index,
    index_of,
    is_name,
    named_folder,
    read_index,
    write_index,
)

Weights = Literal["auto", "float32", "bfloat16"]
_EMBEDDED_SET = "digits"
# Facts of a run that an entry keeps: nothing of folders, users and machines.
_KEPT = ("study", "seed", "wall_s", "finished", "packages", "version", "versions", "hardware")
# What storing weights in bfloat16 may cost Bob: 0.1 point of accuracy; dB.
_ALLOWED_LOSS = {"accuracy": 0.001, "psnr_db": 0.05}
# One answer in so many is well below 0.1 point.
_TRANSMISSIONS = 20000


def pack(
    folder: str | Path,
    name: str,
    *,
    out: str | Path | None = None,
    weights: Weights = "auto",
    simulated_eve: bool = True,
    replace: bool = False,
    data: Path | None = None,
) -> Path:
    """Make a zoo entry of the scheme that a trained run is about.

    The entry leaves out the reference that the run has beside it. Records of an audit are taken
    over; without an audit Bob is measured, and nobody else.

    Args:
        folder: Folder of the run.
        name: ``SET/NAME``, of which SET is the data set.
        out: Folder of entries to put it in; in a checkout its ``zoo/``, or the package's own for
            digits, and otherwise the folder that ``SEMVEIL_ZOO`` names.
        weights: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where that costs Bob less than
            0.1 point of accuracy and 0.05 dB of PSNR.
        simulated_eve: Whether the simulated Eve of the training is kept, for the paper protocol;
            one that Alice herself uses always is.
        replace: Replace an entry of this name, as its next version.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.

    Returns:
        Folder of the entry.

    Raises:
        SemveilError: If the run is not trained, its images are under terms that must be agreed to,
            a setting names a file, or there is an entry of this name.
    """
    run = Run.open(Path(folder), Hardware(torch.device("cpu")), data)
    _refuse_unpublishable(run, name)
    run.require_trained()
    _require_own(run)
    place = _place(name, out)
    target = place / name
    version = _next_version(target, replace)
    # Told before anything slow starts.
    read_index(index_of(place))
    with temporary_folder() as scratch:
        link, stored = _stored(run, weights, simulated_eve, scratch)
        files = _files(run, link, name, version, stored)
    with held_index(place) as known:
        if _next_version(target, replace) != version:
            raise SemveilError(f"{target} was replaced meanwhile: pack it again")
        with replaced_folder(target, files):
            read_entry(target, name)
            write_index(place, known | {name: file_facts(files[CONFIG])})
    return target


def _next_version(target: Path, replace: bool) -> int:
    """Return the version of an entry that is packed: 1, or that behind the one it replaces."""
    standing = standing_folder(target)
    if not standing.exists():
        return 1
    if not replace:
        raise SemveilError(f"there is an entry {target}: replace it with --replace")
    return read_config(standing).facts.version + 1


def _place(name: str, out: str | Path | None) -> Path:
    """Return the folder of entries that an entry is put in."""
    inside = checkout()
    if inside is not None and name.startswith(f"{_EMBEDDED_SET}/"):
        inside = EMBEDDED
    found = Path(out) if out else inside or named_folder()
    if found is None:
        raise SemveilError(f"name the folder to put {name} in with --out, or set {VARIABLE}")
    return found


def _refuse_unpublishable(run: Run, name: str) -> None:
    """Refuse weights that may not be published, and what says something of this machine."""
    images = run.recipe.data.name
    if is_folder(images):
        raise SemveilError(
            f"{run.folder}: trained on the image folder {images}, whose terms are unknown; no "
            "weights of it are packed"
        )
    if origin := DATASETS.get(images).origin:
        raise SemveilError(
            f"{run.folder}: trained on {images}, whose terms ({origin}) allow no publication of "
            "weights here; they are not packed"
        )
    if not is_name(name) or name.partition("/")[0] != images:
        raise SemveilError(
            f"{shown(name)}: expected {images}/NAME, lower-case letters, digits, dots and hyphens, "
            f"as in {images}/{run.recipe.scheme}"
        )
    refuse_files(run.recipe)


def _require_own(run: Run) -> None:
    """Refuse a run without the link that its recipe describes, which an entry is."""
    asked = requested(run.recipe)
    known = [named(scheme).label for scheme in run.schemes]
    if asked.label not in known:
        raise SemveilError(
            f"{run.folder}: its recipe describes {asked.label}, but it trained {', '.join(known)}; "
            "name what is to be packed in the recipe's scheme and protections"
        )


def refuse_files(recipe: Recipe) -> None:
    """Refuse settings that name files: an entry is complete in itself."""
    for key, text in texts(recipe.model_dump(), "recipe"):
        if text.startswith(("~", "\\")) or os.sep in text:
            raise SemveilError(
                f"{key}: {shown(text)} is a file of this machine, which an entry must not name; "
                "train without it"
            )


def _files(run: Run, link: Link, name: str, version: int, stored: str) -> dict[str, bytes]:
    """Return the files of an entry; its link has the weights as they are stored."""
    assert link.run is not None
    records = _records(run, link, stored)
    label = link.name.label
    figures = [each for each in measured_figures(records, label) if math.isfinite(each.ci_low)]
    if not figures:
        raise SemveilError(f"{run.folder}: its records say nothing of {label}; audit it again")
    test = link.run.splits.test
    config: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "title": label,
        "weights": stored,
        "protocol": _protocol(len(test), records, stored),
        "figures": [dataclasses.asdict(figure) for figure in figures],
        "checks": [each.model_dump() for each in checks_of(link, test, run.recipe.bob.snr_db)],
        # A run whose link came from elsewhere did not spend what the link took.
        "train_cpu_s": run.facts.get("train_cpu_s") or None,
        "run": link.run.facts,
    }
    card = entry_card(config, link, records)
    files = {
        MODEL: (link.run.folder / MODEL).read_bytes(),
        RECORDS: "".join(short_line(record) + "\n" for record in records).encode(),
        CARD: card.encode(),
    }
    config["files"] = {file: file_facts(content).model_dump() for file, content in files.items()}
    config["digest"] = digest_of(config)
    text = json.dumps(config, indent=1, ensure_ascii=False) + "\n"
    return {CONFIG: text.encode(), **files}


def entry_card(config: Mapping[str, Any], link: Link, records: Sequence[Record]) -> str:
    """Return the card of an entry from its ``config.json``, its link and its records."""
    licence = DATASETS.get(link.recipe.data.name).licence
    return card_text(config, card_of(link).facts, _limits(link, records), licence, link.keyed)


def _stored(run: Run, weights: Weights, simulated_eve: bool, scratch: Path) -> tuple[Link, str]:
    """Return the link with its weights as they are stored, and how that is."""
    if weights != "auto":
        return _link(run, getattr(torch, weights), simulated_eve, scratch / weights), weights
    plain = _link(run, torch.float32, simulated_eve, scratch / "float32")
    rounded = _link(run, torch.bfloat16, simulated_eve, scratch / "bfloat16")
    test = run.splits.test
    draws = math.ceil(_TRANSMISSIONS / len(test))
    before, after = (
        sent_values(link, test, run.recipe.bob.snr_db, draws) for link in (plain, rounded)
    )
    losses = {metric: float((before[metric] - after[metric]).mean()) for metric in before}
    if all(loss < _ALLOWED_LOSS[metric] for metric, loss in losses.items()):
        return rounded, "bfloat16"
    return plain, "float32"


def _link(run: Run, dtype: torch.dtype, simulated_eve: bool, folder: Path) -> Link:
    """Return the link of a run of its scheme alone, from weights in a folder of its own."""
    folder.mkdir()
    asked = requested(run.recipe)
    facts = {key: run.facts[key] for key in _KEPT if run.facts.get(key) is not None}
    facts |= {"schemes": [to_plain(asked)], "simulated_eve": simulated_eve}
    # Complete, whatever the run left out.
    facts |= {"recipe": run.recipe.model_dump(), "images": image_facts(run.splits)}
    alone = Run.of_facts(facts, folder / CONFIG, run.hardware, run.root)
    empty, tensors = alone.untrained(), run.train().state_dict()
    learned = {key for key, _ in empty.named_parameters()}

    def kept(key: str) -> Tensor:
        # Statistics and bounds stay as they are: they are few, and guarantees rest on them.
        return tensors[key].to(dtype) if key in learned else tensors[key]

    recipe, seed = alone.recipe, alone.seed
    stated = {"recipe": recipe.model_dump(), "seed": seed, "identity": identity(recipe, seed)}
    save_tensors(folder / MODEL, {key: kept(key) for key in empty.state_dict()}, stated)
    return alone.link()


def _records(run: Run, link: Link, stored: str) -> list[Record]:
    """Return the records of an entry's system."""
    alone, path = link.run, run.folder / RECORDS
    assert alone is not None
    known = read_records(path) if path.exists() else []
    records = [record for record in known if record.system == link.name]
    if records and stored == "float32":
        return records
    measured = measure_bob(
        link.under_test(), alone.splits, alone.setting(), alone.recipe.audit, link.device
    )
    if not records:
        return measured
    # Bob as he is with the rounded weights; the rest as the audit left it.
    others = [each for each in records if each.role != "bob" or each.adversary is not None]
    return others + [each for each in measured if each.role == "bob"]


def _eavesdroppers(records: Iterable[Record]) -> list[str]:
    """Return the eavesdroppers who were trained after the link was frozen."""
    fresh = (each for each in records if each.role == "eve" and each.protocol == "adaptive")
    return sorted({each.adversary for each in fresh if each.adversary is not None})


def _protocol(images: int, records: Sequence[Record], stored: str) -> str:
    eves = _eavesdroppers(records)
    if not eves:
        return (
            f"Bob on all {images} test images. No eavesdropper was measured: "
            "`semveil.evaluate(link)` trains fresh ones."
        )
    rounded = stored != "float32"
    names = ", ".join(f"`{name}`" for name in eves)
    who = f"the strongest of {len(eves)} eavesdroppers" if len(eves) > 1 else "one eavesdropper"
    return (
        f"Bob on all {images} test images, and {who} ({names}), "
        "trained after the link was frozen, on images that the link was not trained on"
        + (", before its weights were rounded." if rounded else ".")
    )


def _limits(link: Link, records: Sequence[Record]) -> list[str]:
    """Return what a user of an entry must know, one sentence each."""
    limits = ["Trained once, with one seed: intervals span test images, not trainings."]
    eves = _eavesdroppers(records)
    if not eves:
        limits.append("What an eavesdropper gets was not measured.")
    elif not any(name.startswith("inversion") for name in eves):
        limits.append("No eavesdropper tried to rebuild images.")
    flags = {
        (each.adversary, each.target): each.value for each in records if each.metric == "converged"
    }
    if cut_off := sum(value == 0 for value in flags.values()):
        limits.append(
            f"Eavesdroppers whose epochs ran out while their validation loss was still falling: "
            f"{cut_off} of {len(flags)}. Trained for longer they may be stronger."
        )
    if link.name.training and not any(each.psr_db is not None for each in records):
        limits.append("What it withstands was not measured here: `semveil attack` does.")
    if link.plan.scheme.simulates and link.networks.simulated(link.plan.link.stream) is None:
        limits.append("The simulated Eve of its training is left out: no paper protocol.")
    if link.asymmetry == "knowledge":
        limits.append("It rests on an eavesdropper of weaker or older knowledge: no security.")
    return [*limits, *(text.replace("``", "`") for text in link.plan.scheme.deviations)]
