"""DeepJSCC for images: sizes in closed form, power, and what its audit and attacks measure."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
import torch

from commands import refusal, succeed
from semveil.errors import SemveilError
from semveil.experiment.link import untrained
from semveil.link import Answer
from semveil.profiling.systems import counted
from semveil.recipe import check
from semveil.records import read_records
from semveil.schemes import SCHEMES

pytestmark = pytest.mark.slow

SHORT = [
    f"--set={setting}"
    for setting in (
        "train.epochs=40",
        "audit.inference=[linear]",
        "audit.inversion=[linear]",
        "audit.max_epochs=2",
        "audit.rounds=1",
        "audit.bob_snr_db=[-5,5,15]",
        "audit.eve_snr_db=[15]",
    )
]


def scheme(ratio):
    return SCHEMES.get("deepjscc-image")(
        check({"scheme": "deepjscc-image", "deepjscc-image": {"bandwidth_ratio": ratio}})
    )


@pytest.mark.parametrize(
    ("ratio", "shape", "maps"),
    [("1/12", (3, 32, 32), 8), ("1/6", (3, 32, 32), 16), (0.125, (1, 28, 28), 4)],
)
def test_layers_are_those_of_the_paper(ratio, shape, maps):
    channels, height, width = shape
    link = scheme(ratio).build(shape, classes=10)
    waveform = link.transmit(torch.rand(2, *shape))
    assert waveform.shape[1] / (channels * height * width) == pytest.approx(float(Fraction(ratio)))

    def layer(inputs, outputs):
        return 25 * inputs * outputs + outputs

    middle = layer(32, 32)
    encoder = layer(channels, 16) + layer(16, 32) + 2 * middle + layer(32, maps) + 4
    decoder = layer(maps, 32) + 2 * middle + layer(32, 16) + layer(16, channels) + 4
    assert sum(p.numel() for p in link.encoder.parameters()) == encoder
    assert sum(p.numel() for p in link.reconstructor.parameters()) == decoder
    assert sum(p.numel() for p in link.parameters()) == encoder + decoder


def test_every_image_has_the_same_power():
    link = scheme("1/6").build((3, 32, 32), classes=10)
    images = torch.rand(4, 3, 32, 32) * torch.tensor([1.0, 0.1, 0.01, 1.0]).view(-1, 1, 1, 1)
    power = link.transmit(images).abs().square().mean(1)
    assert torch.allclose(power, torch.ones(4), atol=1e-5)


def test_a_ratio_or_a_size_that_does_not_fit_is_refused():
    with pytest.raises(SemveilError, match=r"set 3/32 or 5/48"):
        scheme(0.1).build((3, 32, 32), 10)
    with pytest.raises(SemveilError, match=r"multiple of 1/16 for these images; set 1/16 or 1/8"):
        scheme("3/32").build((1, 28, 28), 10)
    with pytest.raises(SemveilError, match=r"set data\.image_size"):
        scheme("1/6").build((3, 30, 32), 10)
    with pytest.raises(SemveilError, match=r"deepjscc-image\.bandwidth_ratio"):
        scheme("1/0")


def test_its_costs_are_counted():
    recipe = check({"scheme": "deepjscc-image", "deepjscc-image": {"bandwidth_ratio": "1/4"}})
    costs = counted(untrained("deepjscc-image", recipe, (1, 8, 8), 10, seed=0))
    assert costs["parameters_alice"] + costs["parameters_bob"] == costs["parameters"]


def test_an_answer_says_what_it_lacks():
    with pytest.raises(SemveilError, match="classifies nothing"):
        _ = Answer(images=torch.zeros(1, 1, 2, 2)).scores
    with pytest.raises(SemveilError, match="reconstructs no image"):
        Answer(torch.zeros(1, 2)).log_error(torch.zeros(1, 1, 2, 2))


@pytest.fixture(scope="module")
def trained(semveil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deepjscc-image") / "run"
    succeed(semveil("run", "deepjscc-image-digits", *SHORT, "--out", folder))
    return folder


def test_images_arrive_better_than_their_mean_and_better_at_higher_snr(trained):
    records = read_records(trained / "records.jsonl")
    floor = next(r.value for r in records if r.metric == "psnr_mean_image_db")
    psnr = {r.test_snr_db: r for r in records if r.role == "bob" and r.metric == "psnr_db"}
    assert psnr[15.0].ci_low > floor + 2
    assert psnr[-5.0].value < psnr[5.0].value < psnr[15.0].value
    assert {r.bandwidth_ratio for r in psnr.values()} == {0.25}
    assert not [r for r in records if r.role == "bob" and "accuracy" in r.metric]
    assert [r for r in records if r.role == "eve" and r.metric == "accuracy"]


def test_attacks_lower_the_quality_of_images(semveil, trained, tmp_path):
    quick = [
        f"--set=attack.{setting}"
        for setting in (
            "images=100",
            "train_images=200",
            "pgd.steps=5",
            "uap.epochs=1",
            "relay.epochs=1",
            "pgm.epochs=2",
            "blackbox.queries=20",
        )
    ]
    words = ("attack", trained, "--attacks", "all", "--psr", "-4", *quick)
    succeed(semveil(*words, "--out", tmp_path / "attacks"))
    records = read_records(tmp_path / "attacks" / "records.jsonl")
    bob = {
        r.adversary: r.value
        for r in records
        if r.role == "bob" and r.metric == "psnr_db" and r.image_class is None
    }
    assert {None, "jamming", "fgm", "pgd", "uap", "relay", "pgm", "blackbox"} <= set(bob)
    assert bob["pgd"] < bob["fgm"] < bob["jamming"] < bob[None]
    assert bob["uap"] < bob["jamming"] - 1
    assert not [r for r in records if "accuracy" in r.metric or r.metric == "chance"]


def test_what_needs_classes_is_refused_before_anything_is_written(semveil, trained, tmp_path):
    for words, reason in (
        (("attack", trained, "--attacks", "pgd", "--source-class", "0"), "attack.source_class: "),
        (("attack", trained, "--attacks", "pgd", "--certify", "9"), "attack.votes: "),
        (("harden", trained, "--with", "semmixed"), "harden.method: semmixed trains against"),
    ):
        line = refusal(semveil(*words, "--out", tmp_path / "refused"))
        assert line.startswith(reason)
        assert not (tmp_path / "refused").exists()


def test_it_is_hardened_by_the_error_of_its_images(semveil, trained, tmp_path):
    short = ("--set=harden.epochs=1", "--set=harden.steps=1", "--out", tmp_path / "hard")
    succeed(semveil("harden", trained, "--with", "at-pgd", *short))
    assert json.loads((tmp_path / "hard" / "run.json").read_text())["schemes"]
    assert (tmp_path / "hard" / "model.safetensors").exists()
