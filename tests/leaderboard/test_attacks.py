"""Attacks from outside, entered as tensors: scored as they are, and refused by name as cheats."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from commands import refusal, succeed
from semveil.attacks import PGD
from semveil.leaderboard.attacks import scene, write_attack

PSR_DB = -10.0


def enter(board: Path, name: str, against: str, **changes: object) -> Path:
    """Make the folder of an attack with its entry.yaml; the tensors lie there already."""
    target = yaml.safe_load((board / against / "entry.yaml").read_text())
    body = (board / name / "attack.safetensors").read_bytes()
    stated = {
        "name": name,
        "kind": "attack",
        "authors": ["A. Stranger"],
        "paper": None,
        "licence": "CC0-1.0",
        "threat_model": "Mallory knows the receiver and the fading, not the noise.",
        "against": against,
        "aim": "answer",
        "psr_db": PSR_DB,
        "file": {"sha256": hashlib.sha256(body).hexdigest()},
    }
    stated |= {key: target[key] for key in ("data", "channel", "snr_db")} | changes
    (board / name / "entry.yaml").write_text(yaml.safe_dump(stated))
    return board / name


@pytest.fixture
def perturbing(board):
    """An attack on an answer, as somebody makes it who has the package."""
    found = scene(board / "digits-my-deepjscc")
    source = torch.Generator().manual_seed(1)
    # The budget is met to rounding.
    delta = PGD(steps=10).craft(found.victim, found.incoming, [PSR_DB], source)[0]
    scale = torch.linalg.vector_norm(found.incoming.arrival.signal, dim=1, keepdim=True)
    delta = delta / torch.linalg.vector_norm(delta, dim=1, keepdim=True) * scale
    (board / "my-pgd").mkdir()
    delta = delta * 10 ** (PSR_DB / 20)
    write_attack(board / "my-pgd" / "attack.safetensors", "digits", delta=delta)
    return enter(board, "my-pgd", "digits-my-deepjscc")


@pytest.fixture
def rebuilding(board):
    """Eve's images of a link for pictures: what Bob's receiver makes of another reception."""
    found = scene(board / "digits-residual-jscc")
    heard = found.victim.channel.hear(
        found.incoming.arrival, 10.0, generator=torch.Generator().manual_seed(7)
    )
    images = found.victim.receive(heard, found.incoming.messages).images
    (board / "my-eve").mkdir()
    pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
    write_attack(board / "my-eve" / "attack.safetensors", "digits", reconstructions=pixels)
    return enter(board, "my-eve", "digits-residual-jscc", aim="image", psr_db=None)


def test_perturbations_are_scored(semveil, perturbing, check):
    succeed(semveil("leaderboard", "check", perturbing))
    succeed(semveil("leaderboard", "score", perturbing, "--quiet"))
    assert "3 measured again" in succeed(semveil("leaderboard", "check", perturbing)).out
    lines = map(json.loads, (perturbing / "records.jsonl").read_text().splitlines())
    bob = {line.get("adversary"): line for line in lines}
    # Worse than noise of the same energy, which does not help him (95 % confidence).
    assert bob["my-pgd"]["value"] < bob["jamming"]["value"] - 0.2
    assert bob["jamming"]["ci_low"] <= bob[None]["value"]


def test_reconstructions_are_scored(semveil, rebuilding, check):
    succeed(semveil("leaderboard", "score", rebuilding, "--quiet"))
    succeed(check(rebuilding))
    lines = map(json.loads, (rebuilding / "records.jsonl").read_text().splitlines())
    eve = {line["metric"]: line for line in lines}
    assert eve["psnr_db"]["role"] == "eve"
    assert eve["psnr_db"]["n"] == 100
    # Bob's own figure on his card is what his receiver makes of it.
    assert eve["psnr_db"]["value"] == pytest.approx(bob_psnr(rebuilding.parent), abs=1.0)


def bob_psnr(board):
    stated = yaml.safe_load((board / "digits-residual-jscc" / "entry.yaml").read_text())
    return next(claim["value"] for claim in stated["claims"] if claim["metric"] == "psnr_db")


def test_old_figures_and_entries_stay_and_are_marked(semveil, perturbing, tmp_path):
    board, newer = perturbing.parent, perturbing.with_name("my-newer-pgd")
    for _ in range(2):
        succeed(semveil("leaderboard", "score", perturbing, "--quiet"))
    shutil.copytree(perturbing, newer, ignore=shutil.ignore_patterns("superseded"))
    restate(newer, name=newer.name, supersedes=perturbing.name)
    succeed(semveil("leaderboard", "build", board, "--out", tmp_path / "pages"))
    old, index = ((tmp_path / "pages" / name).read_text() for name in ("my-pgd.html", "index.html"))
    assert "Superseded figures" in old
    assert 'superseded by <a href="my-newer-pgd.html">' in old
    (row,) = re.findall(r"<tr[^>]*><th[^>]*><a href=.my-pgd.html.*", index)
    assert 'class="control"' in row
    assert "superseded by my-newer-pgd" in row


def rewrite(entry, change, metadata=None):
    """Change the tensors of an attack, with the right digest."""
    path = entry / "attack.safetensors"
    with safe_open(str(path), framework="pt") as file:
        header = file.metadata()
    save_file(change(load_file(path)), path, header if metadata is None else metadata)
    restate(entry)


def restate(entry, **changes):
    body = (entry / "attack.safetensors").read_bytes()
    stated = yaml.safe_load((entry / "entry.yaml").read_text()) | changes
    stated["file"] = {"sha256": hashlib.sha256(body).hexdigest()}
    (entry / "entry.yaml").write_text(yaml.safe_dump(stated))


def louder(entry):
    def one_louder(tensors):
        tensors["delta"][17] *= 10**0.05
        return tensors

    rewrite(entry, one_louder)


def not_a_number(entry):
    def broken(tensors):
        tensors["delta"][3, 0, 0] = torch.nan
        return tensors

    rewrite(entry, broken)


def fewer(entry):
    rewrite(entry, lambda tensors: {"delta": tensors["delta"][:50].contiguous()})


def other_list(entry):
    rewrite(entry, lambda tensors: tensors, {"images": "0" * 64})


def other_tensor(entry):
    rewrite(entry, lambda tensors: {"weights": tensors["delta"]})


def pickled(entry):
    (entry / "attack.safetensors").write_bytes(pickle.dumps([1.0]))
    restate(entry)


def garbage(entry):
    (entry / "attack.safetensors").write_bytes(b"\x00" * 100)
    restate(entry)


def flipped(entry):
    path = entry / "attack.safetensors"
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(body)


def no_budget(entry):
    restate(entry, psr_db=None)


def against_nobody(entry):
    restate(entry, against="digits-nobody")


PERTURBATIONS = {
    "over its budget": (
        louder,
        "over its budget: the perturbation of image 17 has a PSR of -9.00 dB",
    ),
    "not a number": (not_a_number, "NaN or infinity"),
    "fewer images": (fewer, "expected torch.float32 [100, 2, 16], not torch.float32 [50, 2, 16]"),
    "another list": (other_list, "made for other images"),
    "another tensor": (other_tensor, "expected one tensor, delta"),
    "pickled": (pickled, "pickled weights are refused"),
    "garbage": (garbage, "attack.safetensors is damaged"),
    "altered": (flipped, "wrong digest"),
    "without a budget": (no_budget, "psr_db: expected with the aim answer"),
    "against nobody": (against_nobody, "unknown entry 'digits-nobody'"),
}


@pytest.mark.parametrize(("damage", "said"), PERTURBATIONS.values(), ids=PERTURBATIONS)
def test_cheating_perturbations_are_refused(perturbing, check, damage, said):
    damage(perturbing)
    assert said in refusal(check(perturbing))


def permuted(entry):
    rewrite(entry, lambda t: {"reconstructions": t["reconstructions"].roll(1, 0)})


def mean_image(entry):
    def mean(tensors):
        images = tensors["reconstructions"]
        return {"reconstructions": images.float().mean(0).to(torch.uint8).expand_as(images).clone()}

    rewrite(entry, mean)


def originals(entry):
    pixels = (scene(entry.parent / "digits-residual-jscc").incoming.images * 255).round()
    rewrite(entry, lambda t: {"reconstructions": pixels.to(torch.uint8)})


RECONSTRUCTIONS = {
    "of other images": (permuted, "reconstructions of other images"),
    "of no image": (mean_image, "reconstructions of other images"),
    "copies": (originals, "100 reconstructions are copies"),
}


@pytest.mark.parametrize(("damage", "said"), RECONSTRUCTIONS.values(), ids=RECONSTRUCTIONS)
def test_cheating_reconstructions_are_refused(rebuilding, check, damage, said):
    damage(rebuilding)
    assert said in refusal(check(rebuilding))
