"""Making an entry of a trained link of the zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semveil import strict_yaml
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.experiment.training import Hardware
from semveil.files import new_folder
from semveil.leaderboard.entry import MODEL, STATED, BoardEntry, check_stated, read_board_entry
from semveil.reading import read_regular
from semveil.zoo.entry import FILES, Entry, entry_at, file_facts
from semveil.zoo.open import open_entry
from semveil.zoo.places import CONFIG, is_name

BOARD = Path("leaderboard")
OURS = "The semveil authors"
_EVE = {
    None: "Eve knows everything and may have Bob's channel; nothing protects the transmission.",
    "task": "Eve knows everything but wants something else than Bob gets.",
    "channel": "Eve knows everything and hears worse than Bob.",
    "key": "Eve knows everything but the key, which is fresh for the scoring.",
    "knowledge": "Eve knows less than those who score: she is of a weaker or older design.",
}


def add(
    source: str | Path,
    *,
    board: str | Path = BOARD,
    authors: Sequence[str] = (OURS,),
    licence: str = "Apache-2.0",
) -> BoardEntry:
    """Make an entry of a link of the zoo; its ``entry.yaml`` may then be edited.

    Args:
        source: Name of a zoo entry, to which the new entry refers; or folder of one, which is
            copied.
        board: Folder of the board.
        authors: Who made the link.
        licence: Licence of its weights, an SPDX identifier.

    Raises:
        SemveilError: If there is no such zoo entry, it is damaged, there is an entry of its name,
            or the licence or an author is not one that an entry may state.
    """
    packed = entry_at(source)
    if packed is None:
        raise SemveilError(f"{source} is no zoo entry: pack a run with `semveil zoo pack`")
    import torch

    link = open_entry(packed, Hardware(torch.device("cpu"))).link()
    name = packed.facts.name.replace("/", "-").replace(".", "-")
    folder = Path(board) / name
    if folder.exists():
        raise SemveilError(f"{folder} is an entry of the name {name} already")
    named = isinstance(source, str) and is_name(source) and not Path(source).exists()
    stated = strict_yaml.dump(_stated(name, packed, link, named, authors, licence))
    # An entry that cannot be read would make the whole board unreadable.
    check_stated(strict_yaml.parse(stated, str(folder / STATED)), folder / STATED)
    files: dict[str, bytes | str] = {STATED: stated}
    if not named:
        files |= {f"{MODEL}/{file}": read_regular(packed.folder / file) for file in FILES}
    new_folder(folder, files)
    return read_board_entry(folder)


def _stated(
    name: str, packed: Entry, link: Link, named: bool, authors: Sequence[str], licence: str
) -> dict[str, Any]:
    facts, channels = packed.facts, link.image_shape
    config = file_facts((packed.folder / CONFIG).read_bytes()).sha256
    classifies = link.network.classifies
    tracks = ["task-privacy", "robustness", "both"] if classifies else []
    return {
        "name": name,
        "kind": "link" if link.asymmetry is None else "defence",
        "authors": list(authors),
        "paper": link.plan.scheme.source,
        "licence": licence,
        "data": facts.name.partition("/")[0],
        "channel": link.channel.name,
        "snr_db": float(link.recipe.bob.snr_db),
        "bandwidth_ratio": round(link.channel_uses / (channels[0] * channels[1] * channels[2]), 6),
        "asymmetry": link.asymmetry,
        "threat_model": f"{_EVE[link.asymmetry]} Mallory sees the waveform and knows the receiver.",
        "tracks": ["image-privacy", *tracks],
        "claims": [
            {
                "party": "bob",
                "metric": figure.metric,
                "value": round(figure.value, 4),
                "snr_db": figure.snr_db,
                "where": "card of the zoo entry",
            }
            for figure in facts.figures
            if figure.party == "Bob" and figure.metric in ("accuracy", "psnr_db")
        ],
        "flags": ["uneven_power"] if link.network.fixed_gain else [],
        "supersedes": None,
        "model": ({"zoo": facts.name} if named else {}) | {"sha256": config},
    }
