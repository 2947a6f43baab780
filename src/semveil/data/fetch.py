"""Fetching data sets from their publishers."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semveil.data import cifar10, mnist
from semveil.data.base import DATASETS
from semveil.data.download import Progress, Remote, download
from semveil.data.paths import data_root, read_file, verify
from semveil.errors import SemveilError
from semveil.files import write_atomic

MEMBER_LIMIT = 1 << 26  # bytes; the largest expected member has 31 million


@dataclass(frozen=True)
class Package:
    """The download of one data set; archives are unpacked to ``members``, file name → md5."""

    folder: str
    sources: tuple[str, ...]
    files: tuple[Remote, ...]
    members: Mapping[str, str] = field(default_factory=dict)


PACKAGES = {
    "mnist": Package(
        mnist.FOLDER,
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        (
            Remote(
                "train-images-idx3-ubyte.gz",
                9912422,
                "sha256",
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            Remote(
                "train-labels-idx1-ubyte.gz",
                28881,
                "sha256",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            Remote(
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "sha256",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            Remote(
                "t10k-labels-idx1-ubyte.gz",
                4542,
                "sha256",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    "cifar10": Package(
        cifar10.FOLDER,
        ("https://www.cs.toronto.edu/~kriz/",),
        (Remote("cifar-10-python.tar.gz", 170498071, "md5", "c58f30108f718f92721af3b95e74349a"),),
        cifar10.MD5,
    ),
}


def fetch(
    name: str,
    root: Path | None = None,
    *,
    sources: Sequence[str] | None = None,
    timeout: float = 30.0,
    progress: Progress | None = None,
) -> Path:
    """Download a data set in the layout that :func:`semveil.data.registry.load` reads.

    Sound files are not downloaded again; interrupted downloads are continued.

    Args:
        name: Name of the set.
        root: Data folder; ``SEMVEIL_DATA`` if omitted. Created if it does not exist.
        sources: Addresses of folders to download from instead of the published ones.
        timeout: Seconds without data after which a connection is given up.
        progress: Called with file name, bytes received and bytes in all after every chunk.

    Raises:
        SemveilError: If the set is unknown, embedded or published under terms to agree to, if no
            source delivers it, or if it cannot be written.

    Example:
        >>> fetch("digits")
        Traceback (most recent call last):
        semveil.errors.SemveilError: digits has nothing to fetch
    """
    if origin := DATASETS.get(name).origin:
        raise SemveilError(f"{name} cannot be fetched: agree to its terms and get it from {origin}")
    if name not in PACKAGES:
        raise SemveilError(f"{name} has nothing to fetch")
    package = PACKAGES[name]
    folder = data_root(root) / package.folder
    if package.members and _unpacked(folder, package.members):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SemveilError(f"cannot make {folder}: {error.strerror}") from error
    addresses = [address.rstrip("/") + "/" for address in sources or package.sources]
    for file in package.files:
        path = download(file, folder, addresses, timeout=timeout, progress=progress)
        if package.members:
            unpack(path, folder, package.members)
            path.unlink()
    return folder


def unpack(archive: Path, folder: Path, members: Mapping[str, str]) -> None:
    """Unpack the expected files, and nothing else, from a gzipped tar archive."""
    # Only regular files FOLDER/NAME are read, and they are written under our own names, so that the
    # archive cannot choose a path.
    missing = dict(members)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for entry in tar:
                name = entry.name.removeprefix(f"{folder.name}/")
                if name == entry.name or name not in missing:
                    continue
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None or entry.size > MEMBER_LIMIT:
                    raise SemveilError(f"{archive}: {entry.name} is not the file it should be")
                data = content.read()
                verify(archive / name, data, "md5", missing.pop(name))
                write_atomic(folder / name, data)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise SemveilError(f"cannot unpack {archive}: {error}") from error
    if missing:
        raise SemveilError(f"{archive}: {sorted(missing)[0]} is not in it")


def _unpacked(folder: Path, members: Mapping[str, str]) -> bool:
    try:
        for name, md5 in members.items():
            verify(folder / name, read_file(folder / name), "md5", md5)
    except SemveilError:
        return False
    return True
