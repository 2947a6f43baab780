"""Checkpoints: what comes back, and what is refused."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn
from toys import game, snapshot

from semveil.errors import SemveilError
from semveil.training.checkpoint import (
    load_tensors,
    load_weights,
    optimiser_tensors,
    restore_optimiser,
    save_tensors,
)

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3), "c": torch.zeros(0)}
FACTS = {"step": 40, "history": [{"step": 20, "loss": 0.1}], "name": "Zoë"}


def sound(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, FACTS)
    return path


def refused(path):
    content = path.read_bytes() if path.is_file() else None
    with pytest.raises(SemveilError) as error:
        load_tensors(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    if content is not None:
        assert path.read_bytes() == content
    return str(error.value)


def test_tensors_and_facts_come_back(tmp_path):
    tensors, facts = load_tensors(sound(tmp_path))
    assert facts == FACTS
    assert set(tensors) == set(TENSORS)
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert all(tensors[name].dtype == TENSORS[name].dtype for name in TENSORS)


def test_channels_last_weights_come_back_as_they_were(tmp_path):
    weight = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
    save_tensors(tmp_path / "x", {"w": weight}, {})
    assert torch.equal(load_tensors(tmp_path / "x")[0]["w"], weight)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    """In processes of their own, since their dictionaries may be in another order."""
    words = (
        "import pathlib, torch; from semveil.training.checkpoint import save_tensors; "
        "save_tensors(pathlib.Path({}), {'b': torch.ones(3), 'a': torch.ones(2)}, {'c': 1, 'd': 2})"
    )
    found = set()
    for number in range(4):
        path = tmp_path / str(number)
        subprocess.run([sys.executable, "-c", words.replace("{}", repr(str(path)))], check=True)
        found.add(path.read_bytes())
    assert len(found) == 1


def test_every_flipped_bit_is_noticed(tmp_path):
    path = sound(tmp_path)
    whole = path.read_bytes()
    start = 8 + struct.unpack("<Q", whole[:8])[0]
    begin = whole.index(b"step")
    places = [*range(start, len(whole)), *range(begin, whole.index(b"name", begin))]
    for place in places:
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            assert "truncated or damaged" in refused(path)


def test_a_file_of_a_version_without_digests_comes_back(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(save(TENSORS, {"format": "semveil-1", "facts": json.dumps(FACTS)}))
    tensors, facts = load_tensors(path)
    assert facts == FACTS
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64, torch.bool, torch.int8])
def test_tensors_of_every_kind_come_back(tmp_path, dtype):
    tensors = {"a": torch.ones(3, 2).to(dtype), "b": torch.ones(()).to(dtype)}
    save_tensors(tmp_path / "x", tensors, {})
    found, _ = load_tensors(tmp_path / "x")
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = sound(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "truncated or damaged" in refused(path)


def test_a_file_with_something_after_it_is_refused(tmp_path):
    path = sound(tmp_path)
    path.write_bytes(path.read_bytes() + b"more")
    assert "truncated or damaged" in refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello, this is a text",
        bytes(range(256)) * 20,
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        pickle.dumps({"weights": [1, 2, 3]}),
    ],
    ids=["empty", "text", "bytes", "huge header", "no header", "pickle"],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    refused(path)


def test_a_pickle_is_never_unpacked(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / "x.safetensors"
    torch.save({"a": Trap()}, path)
    refused(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"format": "semveil-0"}])
def test_somebody_elses_file_is_refused(tmp_path, metadata):
    path = tmp_path / "x.safetensors"
    path.write_bytes(save(TENSORS, metadata))
    assert "not written by semveil" in refused(path)


def test_a_file_without_its_facts_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    for facts in ({}, {"facts": "{"}):
        path.write_bytes(save(TENSORS, {"format": "semveil-1"} | facts))
        refused(path)


def test_no_file_and_a_folder_are_refused(tmp_path):
    assert "no checkpoint" in refused(tmp_path / "x.safetensors")
    assert "no checkpoint" in refused(tmp_path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (nn.Linear(3, 4), r"bias is \(5,\) there and \(4,\) here"),
        (nn.Linear(2, 5), r"weight is \(5, 3\) there and \(5, 2\) here"),
        (nn.Linear(3, 5, bias=False), r"bias is \(5,\) there and nothing here"),
        (nn.Sequential(nn.Linear(3, 5)), r"0\.bias is nothing there and \(5,\) here"),
    ],
    ids=["outputs", "inputs", "bias", "names"],
)
def test_another_architecture_is_refused_and_left_as_it_was(tmp_path, other, message):
    path = tmp_path / "x.safetensors"
    save_tensors(path, nn.Linear(3, 5).state_dict(), {})
    before = snapshot(other)
    with pytest.raises(SemveilError, match=f"of another architecture: {message}"):
        load_weights(other, load_tensors(path)[0], path)
    assert all(torch.equal(before[name], t) for name, t in snapshot(other).items())


def test_weights_that_fit_are_put_in(tmp_path):
    path = tmp_path / "x.safetensors"
    one, other = game().link, game().link
    with torch.no_grad():
        for parameter in one.parameters():
            parameter += 1
    save_tensors(path, one.state_dict(), {})
    load_weights(other, load_tensors(path)[0], path)
    assert all(torch.equal(snapshot(one)[name], t) for name, t in snapshot(other).items())


def walk(layer, adam, steps):
    for step in range(steps):
        adam.zero_grad()
        layer(torch.full((1, 3), 1.0 + step)).square().sum().backward()
        adam.step()


def test_an_optimiser_goes_on_where_it_was(tmp_path):
    def fresh():
        layer = nn.Linear(3, 2)
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer, torch.optim.Adam(layer.parameters(), lr=0.1)

    straight, adam = fresh()
    walk(straight, adam, 3)
    save_tensors(tmp_path / "x", optimiser_tensors("player", adam), {"w": 1})
    kept = snapshot(straight)
    walk(straight, adam, 3)

    resumed, other = fresh()
    resumed.load_state_dict(kept)
    restore_optimiser("player", other, load_tensors(tmp_path / "x")[0], Path("x"))
    walk(resumed, other, 3)
    assert all(torch.equal(snapshot(straight)[n], t) for n, t in snapshot(resumed).items())

    forgetful, fresh_adam = fresh()
    forgetful.load_state_dict(kept)
    walk(forgetful, fresh_adam, 3)
    assert not torch.equal(forgetful.weight, straight.weight)


def test_an_optimiser_that_never_stepped_stays_fresh():
    layer = nn.Linear(3, 2)
    adam = torch.optim.Adam(layer.parameters())
    assert optimiser_tensors("player", adam) == {}
    restore_optimiser("player", adam, {"other/0/exp_avg": torch.zeros(2, 3)}, Path("x"))
    assert adam.state_dict()["state"] == {}


def test_the_header_is_plain_json(tmp_path):
    content = sound(tmp_path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert header["__metadata__"]["format"] == "semveil-1"
    assert json.loads(header["__metadata__"]["facts"]) == FACTS
