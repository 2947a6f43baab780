"""CIFAR-10 batches: sound, damaged, altered, and built to run code."""

from __future__ import annotations

import builtins
import hashlib
import os
import pickle
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.data import cifar10
from semveil.data.cifar10 import Cifar10, read_batch, read_classes
from semveil.data.safe_unpickle import _ByteArray, unpickle_arrays
from semveil.errors import SemveilError

ROWS = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
LABELS = [3, 1, 9, 0]


def python2_batch(rows: np.ndarray = ROWS, labels: list[int] = LABELS) -> bytes:
    """Write a batch, instruction by instruction, as Python 2 and its numpy wrote the originals."""
    raw = rows.tobytes()
    return b"".join(
        [
            b"\x80\x02}(U\x06labels](",
            *(b"K" + bytes([label]) for label in labels),
            b"eU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01" + b"K" + bytes([len(rows)]) + b"M\x00\x0c\x86",
            b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN",
            b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
            struct.pack("<I", len(raw)) + raw + b"tbu.",
        ]
    )


def batch(**changes: Any) -> bytes:
    content = {b"data": ROWS, b"labels": LABELS} | {k.encode(): v for k, v in changes.items()}
    return pickle.dumps(content, protocol=4)


def refuse(tmp_path: Path, content: bytes, reason: str = "") -> None:
    path = tmp_path / "batch"
    path.write_bytes(content)
    with pytest.raises(SemveilError, match=reason) as error:
        read_batch(path, md5=None)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [python2_batch(), batch(), pickle.dumps({b"data": ROWS, b"labels": LABELS}, protocol=3)],
    ids=["python2", "python3", "protocol3"],
)
def test_sound_batch_without_warnings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "batch"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = read_batch(path, hashlib.md5(content).hexdigest())
    assert np.array_equal(images.x, ROWS.reshape(4, 3, 32, 32))
    assert images.x.flags.writeable
    assert images.y.tolist() == LABELS


def test_digest_is_checked_before_anything_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(cifar10, "unpickle_arrays", never)
    path = tmp_path / "batch"
    path.write_bytes(batch())
    with pytest.raises(SemveilError, match="batch is not the published file"):
        read_batch(path, md5="0" * 32)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (batch(data=ROWS[:, :-1]), "no rows of 3072"),
        (batch(data=ROWS[:, :, None]), "no rows of 3072"),
        (batch(data=b"abc"), "no rows of 3072"),
        (batch(data=None), "no rows of 3072"),
        (batch(labels=LABELS[:3]), "not one label for each of its 4"),
        (batch(labels=None), "not one label"),
        (batch(labels=[0, 1, 2, 10]), "a label is not one of 0..9"),
        (batch(labels=[0, 1, 2, -1]), "a label is not one of 0..9"),
        (batch(labels=[0, 1, 2, "3"]), "a label is not one of 0..9"),
        (batch(labels=[0, 1, 2, True]), "a label is not one of 0..9"),
        (pickle.dumps([1, 2]), "no batch"),
        (b"", "refused"),
        (b"<html>", "refused"),
        (python2_batch()[:-5000], "refused"),
        (python2_batch()[:100], "refused"),
    ],
)
def test_wrong_content_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    refuse(tmp_path, content, reason)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "x", None], dtype=object),
        np.zeros(3, np.float64),
        np.zeros(3, np.int8),
        np.zeros(3, "S4"),
        np.zeros(2, [("a", "u1"), ("b", "O")]),
        np.asfortranarray(np.zeros((3, 4), np.uint8)),
        np.float64(1.0),
    ],
    ids=str,
)
def test_only_arrays_of_bytes_are_read(tmp_path: Path, array: object) -> None:
    refuse(tmp_path, pickle.dumps({b"data": array}, protocol=4), "refused to unpickle")


class Call:
    """Pickles as the call of any function on any arguments."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_calls_are_refused_and_not_made(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "was here"
    calls = [
        Call(os.system, f"touch '{mark}'"),
        Call(eval, f"open({str(mark)!r}, 'w')"),
        Call(exec, f"open({str(mark)!r}, 'w')"),
        Call(open, str(mark), "w"),
        Call(builtins.__import__, "os"),
        Call(np.load, str(mark)),
        Call(np.save, str(mark), 1),
        Call(np.fromfile, str(mark)),
        Call(np.dtype, "O"),
        Call(np.ndarray.tofile, ROWS, str(mark)),
        Call(bytearray, 10),
    ]
    for call in calls:
        for content in (call, [call], {b"data": call, b"labels": LABELS}, {b"x": (1, [call])}):
            refuse(tmp_path, pickle.dumps(content, protocol), "refused to unpickle")
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    [
        b"os\nsystem",
        b"posix\nsystem",
        b"builtins\neval",
        b"__builtin__\neval",
        b"numpy\nload",
        b"numpy\nndarray.tofile",
        b"numpy.core.multiarray\nscalar",
        b"numpy._core.multiarray\nscalar",
        b"numpy.core.multiarray\nfromfile",
        b"numpy.testing._private.utils\nrunstring",
        b"numpy\n_core.multiarray._reconstruct.__globals__",
        b"_codecs\nencode",
        b"copyreg\n_reconstructor",
        b"copy_reg\n_reconstructor",
        b"functools\npartial",
        b"semveil.data.safe_unpickle\n_Unpickler",
    ],
)
def test_names_are_refused_even_if_never_called(tmp_path: Path, name: bytes) -> None:
    refuse(tmp_path, b"\x80\x02c" + name + b"\n.", "it asks for ")
    module, _, attribute = (b"X" + struct.pack("<I", len(p)) + p for p in name.partition(b"\n"))
    refuse(tmp_path, b"\x80\x04" + module + attribute + b"\x93.", "it asks for ")


@pytest.mark.parametrize(
    "content",
    [
        # Give a class, not an instance, new attributes.
        b"\x80\x02cnumpy\nndarray\n}(X\x06\x00\x00\x00valuesK\x01ub.",
        b"\x80\x02cnumpy\nndarray\nN}(X\x0c\x00\x00\x00__setstate__K\x01u\x86b.",
        b"\x80\x02cnumpy\ndtype\n}(X\x06\x00\x00\x00valuesK\x01ub.",
        # Objects from outside the pickle, and code numbers of registered extensions.
        b"\x80\x02X\x01\x00\x00\x00aQ.",
        b"Pa\n.",
        b"\x80\x02\x82\x01.",
        # A shape that would need 10^18 bytes, and one that is not made of numbers.
        python2_batch().replace(b"M\x00\x0c\x86", b"\x8a\x08" + b"\x00" * 7 + b"\x10\x86"),
        python2_batch().replace(b"M\x00\x0c\x86", b"U\x01a\x86"),
        # The type of the elements replaced by the array's, so that nothing checks it.
        python2_batch().replace(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n"),
        # Stack and memo of which nothing is there.
        b"\x80\x02R.",
        b"\x80\x02h\x05.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    ],
)
def test_crafted_instructions_are_refused(tmp_path: Path, content: bytes) -> None:
    before = dict(vars(_ByteArray))
    refuse(tmp_path, content, "refused to unpickle")
    assert dict(vars(_ByteArray)) == before
    path = tmp_path / "batch"
    path.write_bytes(python2_batch())
    assert read_batch(path, None).y.tolist() == LABELS


SMALL = pickle.dumps({b"data": ROWS[:1, :6], b"labels": [1], b"name": b"x"}, protocol=3)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=4))
def test_damage_is_refused_or_harmless(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(SMALL)
    for position, value in changes:
        damaged[position] = value
    try:
        unpickle_arrays(Path("batch"), bytes(damaged))
    except SemveilError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most damage, not all, must be refused


def test_class_names(tmp_path: Path) -> None:
    path = tmp_path / "batches.meta"
    path.write_bytes(pickle.dumps({b"label_names": [b"class %d" % n for n in range(10)]}))
    assert read_classes(path, None)[9] == "class 9"
    for names in (None, [b"a"] * 9, ["a"] * 10, [b"a"] * 9 + [None]):
        path.write_bytes(pickle.dumps({b"label_names": names}))
        with pytest.raises(SemveilError, match="no ten class names"):
            read_classes(path, None)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of the form of CIFAR-10 with four images per batch."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    digests = {}
    for number, name in enumerate(cifar10.MD5):
        content = python2_batch(np.roll(ROWS, number))
        if name == cifar10.META:
            content = pickle.dumps({b"label_names": [b"class %d" % n for n in range(10)]})
        (folder / name).write_bytes(content)
        digests[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(cifar10, "MD5", digests)
    return tmp_path


def test_layouts(small: Path) -> None:
    for root in (small, small / "cifar-10-batches-py"):
        source = Cifar10().read(root)
        assert source.train.x.shape == (20, 3, 32, 32)
        assert source.test is not None
        assert source.test.x.shape == (4, 3, 32, 32)
        assert source.classes[3] == "class 3"


@pytest.mark.parametrize("name", list(cifar10.MD5))
def test_missing_and_altered_files_are_named(small: Path, name: str) -> None:
    path = small / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SemveilError, match=f"{name} is not the published file"):
        Cifar10().read(small)
    path.unlink()
    with pytest.raises(SemveilError, match=f"{name} is missing; run 'semveil data fetch cifar10'"):
        Cifar10().read(small)
