"""Fetching whole sets into the layout that the readers expect."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from semveil.data import DATASETS, load, mnist
from semveil.data.download import Remote
from semveil.data.fetch import PACKAGES, fetch, unpack
from semveil.data.mnist import Mnist
from semveil.errors import SemveilError

if TYPE_CHECKING:
    from web import Server

MEMBERS = {"data_batch_1": b"one" * 1000, "batches.meta": b"names"}
DIGESTS = {name: hashlib.md5(content).hexdigest() for name, content in MEMBERS.items()}


def archive(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def entries() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(tarfile.TarInfo(f"cifar-10-batches-py/{n}"), c) for n, c in MEMBERS.items()]


@pytest.fixture
def cifar(server: Server, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The server has a small archive of the form of CIFAR-10's, which counts as published."""
    packed = archive([*entries(), (tarfile.TarInfo("cifar-10-batches-py/readme.html"), b"x")])
    server.files["cifar-10-python.tar.gz"] = packed
    remote = Remote("cifar-10-python.tar.gz", len(packed), "md5", hashlib.md5(packed).hexdigest())
    small = dataclasses.replace(
        PACKAGES["cifar10"], sources=(server.url,), files=(remote,), members=DIGESTS
    )
    monkeypatch.setitem(PACKAGES, "cifar10", small)
    return packed


def test_archive_is_unpacked_into_the_layout_and_removed(
    server: Server, cifar: bytes, tmp_path: Path
) -> None:
    folder = fetch("cifar10", tmp_path / "new" / "root")
    assert folder == tmp_path / "new" / "root" / "cifar-10-batches-py"
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == MEMBERS
    fetch("cifar10", tmp_path / "new" / "root")
    assert len(server.requests) == 1


def test_altered_member_is_fetched_again(server: Server, cifar: bytes, tmp_path: Path) -> None:
    folder = fetch("cifar10", tmp_path)
    (folder / "batches.meta").write_bytes(b"altered")
    fetch("cifar10", tmp_path)
    assert (folder / "batches.meta").read_bytes() == MEMBERS["batches.meta"]
    assert len(server.requests) == 2


def test_plain_files_stay_as_they_are(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files = {f"mirror/{f.name}": f.name.encode() for f in PACKAGES["mnist"].files}
    small = [
        Remote(f.name, len(f.name), "sha256", hashlib.sha256(f.name.encode()).hexdigest())
        for f in PACKAGES["mnist"].files
    ]
    monkeypatch.setitem(
        PACKAGES, "mnist", dataclasses.replace(PACKAGES["mnist"], files=tuple(small))
    )
    seen = set()
    folder = fetch(
        "mnist",
        tmp_path,
        sources=[f"{server.url}none", f"{server.url}mirror"],
        progress=lambda name, done, total: seen.add(name),
    )
    assert folder == tmp_path / "MNIST" / "raw"
    assert {f.name for f in folder.iterdir()} == seen == {f.name for f in small}
    assert Mnist().locate(tmp_path) == folder


def test_published_files_are_those_that_the_readers_read() -> None:
    assert {f.name for f in PACKAGES["mnist"].files} == {f"{name}.gz" for name in mnist.FILES}
    assert set(PACKAGES) <= set(DATASETS.names())


def test_what_cannot_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SemveilError, match="digits has nothing to fetch"):
        fetch("digits", tmp_path)
    with pytest.raises(SemveilError, match=r"celeba cannot be fetched: agree to its terms .*mmlab"):
        fetch("celeba", tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(SemveilError, match="did you mean 'cifar10'"):
        fetch("cifar", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SemveilError, match="cannot make"):
        fetch("mnist", tmp_path / "file")
    monkeypatch.delenv("SEMVEIL_DATA", raising=False)
    with pytest.raises(SemveilError, match="set SEMVEIL_DATA"):
        fetch("mnist")


def make(tmp_path: Path, content: bytes) -> tuple[Path, Path]:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (tmp_path / "a.tar.gz").write_bytes(content)
    return tmp_path / "a.tar.gz", folder


def test_nothing_but_the_expected_members_is_written(tmp_path: Path) -> None:
    strange = [
        "../escaped",
        "cifar-10-batches-py/../../escaped",
        f"{tmp_path}/escaped",
        "cifar-10-batches-py/sub/data_batch_1",
        "data_batch_1",
        "cifar-10-batches-py/unexpected",
    ]
    extra = [(tarfile.TarInfo(name), b"evil") for name in strange]
    path, folder = make(tmp_path, archive([*extra, *entries(), *extra]))
    unpack(path, folder, DIGESTS)
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == MEMBERS
    assert {f.name for f in tmp_path.iterdir()} == {"a.tar.gz", "cifar-10-batches-py"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    entry = tarfile.TarInfo("cifar-10-batches-py/batches.meta")
    entry.type, entry.linkname = kind, "/etc/passwd"
    path, folder = make(tmp_path, archive([(entry, b"")]))
    with pytest.raises(SemveilError, match=r"batches.meta is not the file it should be"):
        unpack(path, folder, DIGESTS)
    assert not list(folder.iterdir())


def test_wrong_archives_are_refused(tmp_path: Path) -> None:
    sound = archive(entries())
    path, folder = make(tmp_path, archive(entries()[:1]))
    with pytest.raises(SemveilError, match=r"batches.meta is not in it"):
        unpack(path, folder, DIGESTS)
    path.write_bytes(archive([(entries()[0][0], b"altered")]))
    with pytest.raises(SemveilError, match=r"data_batch_1 is not the published file"):
        unpack(path, folder, DIGESTS)
    for content in (b"", b"<html>", sound[: len(sound) // 2], sound[:40] + bytes(40)):
        path.write_bytes(content)
        with pytest.raises(SemveilError, match="cannot unpack") as error:
            unpack(path, folder, DIGESTS)
        assert "\n" not in str(error.value)


@pytest.mark.dataset
@pytest.mark.skipif("SEMVEIL_DATA" not in os.environ, reason="SEMVEIL_DATA is not set")
def test_the_published_mnist_files_pass_and_load(server: Server, tmp_path: Path) -> None:
    for file in Mnist().locate().iterdir():
        server.files[file.name] = file.read_bytes()
    fetch("mnist", tmp_path, sources=[server.url])
    assert len(load("mnist", root=tmp_path).test) == 10_000
