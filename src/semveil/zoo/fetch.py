"""Fetching entries: verified, whole or not at all. Knows no torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from semveil.data.download import Remote, download
from semveil.errors import SemveilError, unknown
from semveil.files import locked, replaced_folder, require_replaceable
from semveil.zoo.entry import FILES, file_facts, read_config, read_entry
from semveil.zoo.places import CONFIG, FileFacts, cache, entries, published

VARIABLE = "SEMVEIL_ZOO_URL"
TIMEOUT_S = 30.0
# Files that have arrived wait here until the entry is whole; no name begins with a dot.
_ARRIVING, _FILES = ".arriving", "files"

Progress = Callable[[str, int, int], None]


def fetch(name: str, address: str | None = None, progress: Progress | None = None) -> Path:
    """Download an entry into the user's cache, unless it is on this machine already.

    An entry of the cache that is damaged, or another than the index states, is replaced; a damaged
    one elsewhere is refused, since it would go on hiding what is fetched.

    The package, and the folder that ``SEMVEIL_ZOO`` names, hold an index with the digest of each
    entry's ``config.json``, which holds those of the other files: the address need not be trusted.
    An interrupted download is continued.

    Args:
        name: Name of the entry.
        address: Address of a folder of entries; ``SEMVEIL_ZOO_URL`` if omitted.
        progress: Called with file name, bytes received and bytes in all.

    Returns:
        Folder of the entry.

    Raises:
        SemveilError: If a damaged entry, a file or a link is in the way, no digest is known of it,
            no address is, or the address does not deliver.
    """
    here, indexed = entries(), published()
    _discard_useless(here, indexed)
    if name in here and not _stale(here[name][0], indexed.get(name)):
        return _sound(here[name][0], name)
    if name not in indexed:
        raise unknown("zoo entry", name, {*here, *indexed}, "semveil zoo list")
    address = address or os.environ.get(VARIABLE)
    if not address:
        raise SemveilError(f"no address to fetch {name} from: use --from, or set {VARIABLE}")
    if not address.startswith(("http://", "https://")):
        raise SemveilError(f"{address}: expected an address that begins with https:// or http://")
    waiting, target = cache() / _ARRIVING / name, cache() / name
    require_replaceable(target)
    arriving = waiting / _FILES
    source = f"{address.rstrip('/')}/{name}/"

    def get(file: str, stated: FileFacts) -> None:
        remote = Remote(file, stated.bytes, "sha256", stated.sha256)
        download(remote, arriving, [source], timeout=TIMEOUT_S, progress=progress)

    with locked(waiting, make=True):
        # Another process may have fetched it while this one waited.
        if _stale(target, indexed[name]):
            _make(arriving)
            get(CONFIG, indexed[name])
            for file, stated in sorted(read_config(arriving).facts.files.items()):
                get(file, stated)
            with replaced_folder(target, {file: (arriving / file).read_bytes() for file in FILES}):
                read_entry(target, name)
    _discard(waiting)
    return target


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SemveilError(f"cannot make {folder}: {error.strerror}") from None


def _discard_useless(here: Collection[str], indexed: Collection[str]) -> None:
    """Remove what arrived of entries that are whole by now, or are not published any more."""
    for waiting in sorted((cache() / _ARRIVING).glob("*/*")):
        name = "/".join(waiting.parts[-2:])
        if name in here or name not in indexed:
            _discard(waiting)


def _discard(waiting: Path) -> None:
    """Remove what arrived of an entry, unless another process fetches it."""
    with suppress(SemveilError), locked(waiting, 0.0):
        shutil.rmtree(waiting / _FILES, ignore_errors=True)
    for folder in (waiting, *waiting.parents[:2]):
        with suppress(OSError):
            folder.rmdir()


def _sound(folder: Path, name: str) -> Path:
    """Return the folder of an entry that is not fetched anew; refuse a damaged one."""
    try:
        return read_entry(folder, name).folder
    except SemveilError as error:
        raise SemveilError(
            f"{folder} is damaged, and would hide what is fetched: remove or restore it ({error})"
        ) from None


def _stale(folder: Path, stated: FileFacts | None) -> bool:
    """Return whether an entry of the cache is damaged, or not the one that the index states."""
    if stated is None or cache() not in folder.parents:
        return False
    try:
        read_entry(folder)
        return file_facts((folder / CONFIG).read_bytes()) != stated
    except SemveilError:
        return True
