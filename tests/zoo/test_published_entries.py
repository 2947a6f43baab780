"""The entries that come with the project: complete, small, indexed, and as good as they say."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import semveil
from commands import CommandLine, succeed
from semveil.data import DATASETS
from semveil.profiling.own import link_costs
from semveil.records import read_records
from semveil.schemes import SCHEMES
from semveil.zoo import places
from semveil.zoo.entry import read_entry
from semveil.zoo.pack import entry_card

EMBEDDED = places.Place(places.EMBEDDED, "in the package").entries()
INDEX = places.read_index(places.EMBEDDED / "index.json")


def published() -> dict[str, Path]:
    """Return all entries of the repository."""
    inside = places.checkout()
    return EMBEDDED | (places.Place(inside, "").entries() if inside else {})


def test_the_index_is_that_of_the_entries():
    found = published()
    assert set(found) == set(INDEX)
    for name, folder in found.items():
        body = (folder / "config.json").read_bytes()
        assert INDEX[name].sha256 == hashlib.sha256(body).hexdigest(), name
        assert INDEX[name].bytes == len(body), name


def test_the_package_has_what_the_script_makes():
    script = (Path(__file__).parents[2] / "zoo/digits.sh").read_text()
    made = set(re.findall(r"\[([a-z0-9-]+)\]=", script))
    assert made <= set(SCHEMES.names())
    assert {f"digits/{name}" for name in made} == set(EMBEDDED)


def test_entries_are_small():
    def size(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.iterdir())

    assert sum(map(size, EMBEDDED.values())) <= 2_000_000
    assert sum(map(size, published().values())) <= 100_000_000


@pytest.mark.parametrize("name", sorted(published()))
def test_an_entry_is_what_may_be_published(name):
    entry = read_entry(published()[name], name)
    images = entry.run["recipe"]["data"]["name"]
    assert DATASETS.get(images).origin is None
    assert "dirty" not in entry.run["version"]
    text = json.dumps(entry.run)
    assert not any(word in text for word in ("/home/", "/root", "/tmp", "/work"))


@pytest.mark.parametrize("name", sorted(published()))
def test_a_card_states_the_symbols_that_were_sent(name):
    folder = published()[name]
    (reals,) = {
        json.loads(line)["latent_dim"] for line in (folder / "records.jsonl").open(encoding="utf-8")
    }
    assert f"| {reals // 2} channel uses per image" in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(set(published()) - set(EMBEDDED)))
def test_a_card_is_what_its_entry_says_today(name):
    folder = published()[name]
    config = json.loads((folder / "config.json").read_text())
    link = semveil.load(str(folder), device="cpu")
    card = entry_card(config, link, read_records(folder / "records.jsonl"))
    assert (folder / "README.md").read_text() == card


def test_a_card_states_what_protects_the_link_and_at_what_it_was_trained():
    keyed = (published()["cifar10/deepjscc-image-rotation-d1024"] / "README.md").read_text()
    assert "| protects | the image and the label, from receivers without the key |" in keyed
    assert "| guarantee | the waveform is independent of the image" in keyed
    assert "| protections | rotation (block 16) |" in keyed
    hardened = (published()["cifar10/mobilesc-w32-semmixed"] / "README.md").read_text()
    assert "| protects | Bob, from perturbations, by adversarial training (semmixed) |" in hardened
    assert "What it withstands was not measured here" in hardened
    image = (published()["cifar10/residual-jscc-d1024"] / "README.md").read_text()
    assert "trained at 0 to 20 dB" in image
    assert "one eavesdropper (`inference/linear`)" in image
    assert "No eavesdropper tried to rebuild images." in image
    assert "falling: 1 of 1." in image


def test_a_link_of_another_size_than_its_latent_states_what_it_sends():
    link = semveil.load("cifar10/deepjscc-image-rotation-d1024", device="cpu")
    assert "512 channel uses" in repr(link)
    assert "512 channel uses per image, bandwidth ratio 0.167" in str(link.card)
    found = {record.metric: record for record in link_costs(link, batch=1, rounds=1)}
    assert found["channel_uses"].value == 512
    assert found["channel_uses"].latent_dim == 1024
    # Blocks of four: each needs sixteen complex Gaussian numbers.
    assert found["key_bytes"].value >= 128 * 16


def verified(semveil: CommandLine, environment: dict[str, str]) -> dict[str, Any]:
    """Return what became of each entry."""
    done = succeed(semveil("zoo", "verify", "--all", "--json", environment=environment))
    found = {each["name"]: each for each in json.loads(done.out)}
    assert set(found) == set(published())
    return found


def test_without_images_figures_of_others_than_the_digits_are_not_measured(semveil):
    for name, each in verified(semveil, {}).items():
        inside = name in EMBEDDED
        assert each["agrees"] is (True if inside else None), each
        assert inside or "no data folder" in each["skipped"], each


@pytest.mark.slow
@pytest.mark.skipif("SEMVEIL_DATA" not in os.environ, reason="SEMVEIL_DATA is not set")
def test_every_entry_is_as_good_as_its_card_says(semveil):
    found = verified(semveil, {"SEMVEIL_DATA": os.environ["SEMVEIL_DATA"]})
    for each in found.values():
        assert each["agrees"] is True, each
        assert each["figures"], each


def test_a_link_of_the_package_is_better_than_chance():
    digits = semveil.data.load("digits")
    for name in ("digits/deepjscc", "digits/rotation", "digits/ibal"):
        answer = semveil.load(name).send(
            digits.test.x, snr_db=12, generator=torch.Generator().manual_seed(0)
        )
        right = answer.logits.argmax(1).numpy() == digits.test.y
        assert right.mean() > 0.85, name
