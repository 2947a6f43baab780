"""Images of one's own over an audited run, and the eavesdropper who was kept for it."""

from __future__ import annotations

import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

import semveil as package
from commands import content, refusal, settings, succeed
from semveil.adversary.eavesdrop.eavesdropper import listen
from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.channel import channel_of
from semveil.evaluation.signal_checks import recorded
from semveil.experiment.kept import kept
from semveil.rng import generator


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Files of the first digits, enlarged."""
    folder = tmp_path_factory.mktemp("pictures")
    files = []
    for number, image in enumerate(package.data.load("digits").test.x[:3, 0]):
        files.append(folder / f"[b]{number}.png")
        Image.fromarray(np.kron(image, np.ones((6, 6), np.uint8))).save(files[-1])
    return files


def test_everybody_is_shown_with_every_image(semveil, finished, pictures, tmp_path):
    out = tmp_path / "sent.png"
    shown = succeed(semveil("send", finished, *pictures, "--out", out))
    assert f"Picture: {out}\n" in shown.out
    assert shown.out.splitlines()[0].strip() == "minmax-cooperative at 10 dB"
    for file in pictures:
        assert file.name in shown.out
    with Image.open(out) as drawn:
        assert drawn.width > drawn.height * 0.5
    found = json.loads(succeed(semveil("send", finished, *pictures, "--out", out, "--json")).out)
    assert list(found["parties"]) == ["Bob", "inference/linear", "inversion/linear"]
    classes = {str(digit) for digit in range(10)}
    for party, figures in found["parties"].items():
        assert (figures["answers"] is None) == party.startswith("inversion")
        assert (figures["psnr_db"] is None) == party.startswith("inference")
        assert set(figures["answers"] or []) <= classes
        assert len(figures["answers"] or figures["psnr_db"]) == 3


def test_bob_gets_what_the_link_gives_him(finished, pictures, tmp_path):
    sent = package.api.send(finished, pictures, snr_db=60, device="cpu")
    link = package.load(finished, device="cpu")
    answer = link.send(sent.originals, snr_db=60, generator=generator(0, "send", "bob"))
    bob = sent.received[0]
    assert bob.answers == [str(digit) for digit in answer.logits.argmax(1).tolist()]
    assert sent.originals.shape == (3, 1, 8, 8)
    stored = package.data.load("digits").test.x[:3]
    assert np.abs(sent.originals.astype(int) - stored).mean() < 25


def test_the_kept_eavesdropper_is_the_one_of_the_audit(finished):
    """Given what the audit gave her, she draws what the audit kept of her."""
    link = package.load(finished, system="multitask", device="cpu")
    test = recorded(
        link.under_test().transmit, link.run.splits.test, "test", 0, torch.device("cpu")
    )
    heard = Intercepts(test, channel_of(link.recipe.eve))
    reception = heard.receive(torch.arange(2), 10.0, generator(0))
    eve, classes = kept(link, "image", reception)
    hear = partial(eve.listen, snr_db=10.0)
    images = listen(hear, heard, 10.0, generator(0, "eve", "10.0"))
    drawn = (images[:2].clamp(0, 1) * 255).round().byte().numpy()
    with np.load(finished / "samples.npz") as samples:
        assert np.array_equal(drawn, samples["eve/multitask"])
    assert classes == [str(digit) for digit in range(10)]


def test_colours_become_grey_where_the_link_knows_no_others(finished, tmp_path):
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(tmp_path / "red.png")
    sent = package.api.send(finished, [tmp_path / "red.png"], device="cpu")
    assert np.unique(sent.originals).tolist() == [round(0.299 * 200)]


def test_what_cannot_be_sent_is_refused(semveil, finished, pictures, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    assert "no.png is not a readable image" in refusal(
        semveil("send", finished, tmp_path / "no.png")
    )
    line = refusal(semveil("send", finished, pictures[0], "--system", "multitak"))
    assert "did you mean 'multitask'" in line
    assert "holds no run" in refusal(semveil("send", tmp_path, pictures[0]))
    assert "snr_db" in refusal(semveil("send", finished, pictures[0], "--snr", "nan"))
    line = refusal(semveil("send", finished, pictures[0], "--out", tmp_path / "a.jpg"))
    assert "must end in .svg or .png" in line


def test_who_was_not_audited_has_no_eavesdropper(semveil, finished, pictures, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(folder / "eavesdroppers")
    before = content(folder)
    assert "keeps no eavesdropper" in refusal(semveil("send", folder, pictures[0]))
    assert content(folder) == before


def test_a_damaged_eavesdropper_is_refused(semveil, finished, pictures, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    for path in (folder / "eavesdroppers").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert "truncated or damaged" in refusal(semveil("send", folder, pictures[0]))


def test_a_link_without_reconstruction_shows_the_eavesdroppers_alone(semveil, pictures, tmp_path):
    words = settings("scheme=deepjscc", "train.epochs=1")
    succeed(semveil("run", "quickstart", *words, "--out", "run", "--quiet", folder=tmp_path))
    sent = package.api.send(tmp_path / "run", pictures, device="cpu")
    assert sent.received[0].images is None
    assert list(sent.pictures()) == ["originals", "eve/deepjscc"]
