"""``semveil.evaluate``: one call measures a link, its eavesdroppers and attacks."""

from __future__ import annotations

import hashlib
import pickle
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import semveil
from semveil.data import cifar10
from semveil.errors import SemveilError
from semveil.rng import generator
from semveil.section import Section

QUICK = {
    "data.limit": 400,
    "train.epochs": 2,
    "audit.inference": ["linear"],
    "audit.inversion": ["linear"],
    "audit.max_epochs": 2,
    "audit.rounds": 1,
    "audit.pictures": 3,
    "attack.images": 40,
    "attack.train_images": 40,
}


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluate") / "run"
    return semveil.train("ibal-digits", QUICK, out=out, device="cpu")


def test_everything_is_measured_at_every_snr(link):
    found = semveil.evaluate(
        link, attacks=[semveil.attacks.FGM(), semveil.attacks.Jamming()], psr_db=[-9], snr_db=[3, 8]
    )
    records = found.records
    assert {r.test_snr_db for r in records if r.role in ("bob", "eve")} == {3.0, 8.0}
    attacked = {(r.adversary, r.psr_db, r.test_snr_db) for r in records if r.psr_db is not None}
    assert attacked == {(name, -9.0, snr) for name in ("fgm", "jamming") for snr in (3.0, 8.0)}
    assert {r.study for r in records} == {"ibal-digits"}
    bob = [
        r
        for r in records
        if r.role == "bob"
        and r.adversary is None
        and r.metric == "accuracy"
        and r.image_class is None
    ]
    assert [(r.test_snr_db, r.n) for r in bob] == [(3.0, 359), (8.0, 359)]
    assert len([r for r in records if r.metric == "chance"]) == 1
    assert found.samples["originals"].shape == (3, 1, 8, 8)


def test_what_a_run_measures_is_what_evaluate_measures(link):
    audited = semveil.api.audit_run(link.run.folder, device="cpu")
    mine = [r for r in audited.records if r.system == link.name]
    assert semveil.evaluate(link).records == mine


def test_the_recipe_decides_what_is_not_named(link):
    found = semveil.evaluate(
        link, attacks=[semveil.attacks.Jamming()], changes={"attack.psr_db": [-5]}
    )
    audit = link.recipe.audit
    assert {r.test_snr_db for r in found.records if r.role == "eve"} == set(audit.eve_snr_db)
    attacked = [r for r in found.records if r.adversary == "jamming"]
    assert {(r.psr_db, r.test_snr_db) for r in attacked} == {(-5.0, link.recipe.bob.snr_db)}


def test_images_of_another_shape_or_task_are_refused(link):
    pixels = np.random.default_rng(0).integers(0, 256, (80, 1, 8, 9), np.uint8)
    images = semveil.data.Images(pixels, np.arange(80) % 10)
    train, test = images.take(range(60)), images.take(range(60, 80))
    other = semveil.data.split("mine", train, test, tuple("abcdefghij"), seed=0)
    with pytest.raises(SemveilError, match=r"images \[1, 8, 9\].* the link takes \[1, 8, 8\]"):
        semveil.evaluate(link, other)


def test_settings_of_training_are_not_an_evaluations(link):
    with pytest.raises(SemveilError, match="only settings of attack and audit"):
        semveil.evaluate(link, changes={"link.latent_dim": 16})
    with pytest.raises(SemveilError, match="snr_db"):
        semveil.evaluate(link, snr_db=[])


@pytest.mark.parametrize("given", [{"attacks": ["pgd"]}, {"eavesdroppers": ["mlp"]}])
def test_adversaries_are_objects(link, given):
    with pytest.raises(SemveilError, match=r"expected .*objects such as semveil\."):
        semveil.evaluate(link, **given)


def test_an_adversary_by_its_name_is_named_whole(link):
    with pytest.raises(SemveilError, match="not 'pgd'"):
        semveil.evaluate(link, attacks="pgd")


def test_data_is_a_name_or_images(link):
    changes = {"audit.max_epochs": 1}
    assert semveil.evaluate(link, data="digits", snr_db=[8], changes=changes).records
    with pytest.raises(SemveilError, match="unknown data set"):
        semveil.evaluate(link, data="digit")
    with pytest.raises(SemveilError, match=r"expected semveil\.data\.load"):
        semveil.evaluate(link, data=np.zeros((4, 1, 8, 8)))


@pytest.fixture
def digits_as_cifar10(tmp_path, monkeypatch):
    """scikit-learn's digits as CIFAR-10 is published: 32×32 pixels in colour, seven files."""
    digits = load_digits()
    pixels = np.kron(digits.images / 16 * 255, np.ones((4, 4))).astype(np.uint8)
    rows = np.repeat(pixels[:, None], 3, axis=1).reshape(len(pixels), -1)
    parts = {f"data_batch_{n}": slice(160 * n - 160, 160 * n) for n in range(1, 6)}
    parts["test_batch"] = slice(800, 900)
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    contents = {
        name: {b"data": rows[part], b"labels": digits.target[part].tolist()}
        for name, part in parts.items()
    }
    contents["batches.meta"] = {b"label_names": [str(n).encode() for n in range(10)]}
    sums = {}
    for name, content in contents.items():
        written = pickle.dumps(content, protocol=4)
        (folder / name).write_bytes(written)
        sums[name] = hashlib.md5(written).hexdigest()
    monkeypatch.setattr(cifar10, "MD5", sums)
    monkeypatch.setenv("SEMVEIL_DATA", str(tmp_path / "data"))


EXAMPLE = re.search(
    r"^```py\n(.*?)^```", (Path(__file__).parents[1] / "docs/python.md").read_text(), re.M | re.S
)


@pytest.mark.slow
def test_the_example_of_the_public_interface(digits_as_cifar10, tmp_path, monkeypatch, capsys):
    """The first example of docs/python.md, word for word, on digits stored as CIFAR-10 is."""
    monkeypatch.chdir(tmp_path)
    quick = QUICK | {"link.latent_dim": 32, "link.width": 4, "train.batch": 32}
    semveil.train("ibal-cifar10", quick, out="runs/ibal-cifar10", device="cpu")

    class MyAttack(semveil.attacks.Attack):
        name = "mine"

        class Config(Section):
            alpha: float = 0.5

        def craft(self, victim, incoming, psrs_db, source):
            signal = incoming.arrival.signal
            return (self.config.alpha * signal.conj()).expand(len(psrs_db), *signal.shape)

    images = semveil.data.load("cifar10").test.x[:4]
    space = {"images": images, "g": generator(0, "g"), "MyAttack": MyAttack}
    assert EXAMPLE
    exec(EXAMPLE[1], space)

    assert space["answer"].logits.shape == (4, 10)
    assert space["waveform"].shape == (4, 16)
    assert capsys.readouterr().out.startswith("ibal\n  scheme    ibal: ")
    records = space["found"].records
    attacked = {(r.adversary, r.psr_db, r.test_snr_db) for r in records if r.psr_db is not None}
    assert attacked == set(product(("pgd", "mine"), (-20.0, -10.0), (4.0, 12.0, 20.0)))
    assert "<svg" in Path("report.html").read_text()
    assert space["link"].recipe.link.latent_dim == 64
    assert space["link"].run.folder == Path("runs/ibal-cifar10-2")
