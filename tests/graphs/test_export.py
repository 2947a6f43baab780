"""Links as ONNX graphs: whoever runs the graphs and the reference sends and hears the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import semveil
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.graphs import reference
from semveil.graphs.exporter import Session
from semveil.link import as_float
from semveil.phy import snr_to_noise_variance
from semveil.rng import generator
from semveil.zoo.places import EMBEDDED

pytest.importorskip("onnxruntime")

ENTRIES = sorted(folder.name for folder in (EMBEDDED / "digits").iterdir())
REFUSED = {"cooperative", "dp", "minmax-cooperative"}
SNR_DB = 12.0


class Exported:
    """An exported link, run by nothing but onnxruntime, numpy and the reference."""

    def __init__(self, folder: Path, key: bytes, suffix: str = "") -> None:
        self.card = json.loads((folder / "card.json").read_text())
        self.encoder, self.decoder = (
            Session((folder / f"{end}{suffix}.onnx").read_bytes()) for end in ("encoder", "decoder")
        )
        self.key = key
        transform = self.card["outside"]["transform"] or {"function": None, "settings": {}}
        self.function, self.settings = transform["function"], transform["settings"]

    def _bits(self, messages: np.ndarray) -> list[np.ndarray]:
        if self.function != "key_bits":
            return []
        return [reference.key_bits(self.key, messages, **self.settings)]

    def _keyed(self, symbols: np.ndarray, messages: np.ndarray, back: bool) -> np.ndarray:
        if self.function not in ("rotate", "shuffle"):
            return symbols
        function = getattr(reference, self.function)
        found: np.ndarray = function(symbols, self.key, messages, back=back, **self.settings)
        return found

    def transmit(self, images: np.ndarray, messages: np.ndarray) -> np.ndarray:
        (reals,) = self.encoder(images, *self._bits(messages))
        return self._keyed(reference.to_complex(reals), messages, back=False)

    def receive(
        self, symbols: np.ndarray, reliability: np.ndarray, messages: np.ndarray
    ) -> list[np.ndarray]:
        reals = reference.to_reals(self._keyed(symbols, messages, back=True))
        return self.decoder(reals, reliability.astype(np.float32), *self._bits(messages))


def agree(link: Link, folder: Path) -> None:
    """Check that a link and its export send the same and understand the same."""
    mine = Exported(folder, link.key)
    splits = semveil.data.load("digits")
    images = as_float(torch.from_numpy(splits.test.x[:20]))
    messages = torch.arange(len(images)) + 100
    with torch.no_grad():
        wanted = link.transmit_numbered(images, generator(0), messages)
        found = mine.transmit(images.numpy(), messages.numpy())
        assert np.abs(found - wanted.numpy()).max() < 1e-4
        reception = link.channel(wanted, SNR_DB, generator=generator(1))
        answer = link.receive(reception, messages)
    h, variance = reception.csi.numpy(), float(snr_to_noise_variance(SNR_DB))
    if mine.card["outside"]["ofdm"]:
        variance = float(reception.noise_variance)
    symbols, reliability = reference.equalise(reception.symbols.numpy(), h, variance)
    answers = [each for each in (answer.logits, answer.images) if each is not None]
    heard = mine.receive(symbols, reliability, messages.numpy())
    assert len(heard) == len(answers)
    for one, other in zip(heard, answers, strict=True):
        assert np.abs(one - other.numpy()).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_of_the_zoo_is_exported_or_refused(name: str, tmp_path: Path) -> None:
    link = semveil.load(f"digits/{name}", device="cpu")
    if name in REFUSED:
        with pytest.raises(SemveilError, match=r"is not exported: .+") as refused:
            semveil.export(link, tmp_path / "out")
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "out").exists()
        return
    found = semveil.export(link, tmp_path / "out", int8=False)
    assert all(
        max(file["max_abs_difference"].values()) < 1e-4 for file in found.card["files"].values()
    )
    agree(link, tmp_path / "out")


@pytest.mark.slow
def test_the_command_writes_graphs_a_card_and_a_program_that_runs(tmp_path: Path) -> None:
    out = tmp_path / "rotation"
    command = [sys.executable, "-m", "semveil", "export", "digits/rotation", "--out", str(out)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    card = json.loads(done.stdout)["card"]
    assert card == json.loads((out / "card.json").read_text())
    assert {path.name for path in out.iterdir()} == {
        *("card.json", "README.md", "reference.py"),
        *card["files"],
    }
    assert len(card["files"]) == 4
    for name, file in card["files"].items():
        content = (out / name).read_bytes()
        assert len(content) == file["bytes"]
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model, full_check=True)
        assert [each.version for each in model.opset_import if not each.domain] == [card["opset"]]
        # Nothing of the machine that it was made on.
        assert b"semveil/" not in content
    # Eight bits cost something, and not the guarantee: every pair of symbols keeps its norm.
    splits = semveil.data.load("digits")
    images = splits.test.x[:50].astype(np.float32) / 255
    full, small = (
        reference.to_complex(Session((out / f"encoder{suffix}.onnx").read_bytes())(images)[0])
        for suffix in ("", ".int8")
    )
    assert 1e-4 < np.sqrt((np.abs(full - small) ** 2).mean()) < 0.2
    assert np.abs((np.abs(small.reshape(50, -1, 2)) ** 2).sum(2) - 2).max() < 1e-5
    (program,) = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    (tmp_path / "program.py").write_text(program + "print(answers[0].shape)\n")
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        cwd=out,
        env=os.environ | {"PYTHONPATH": str(out)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "(2, 10)\n"
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_the_codec_of_the_classical_link_is_refused(tmp_path: Path) -> None:
    from semveil.experiment.link import untrained
    from semveil.recipe import Recipe, update

    recipe = update(Recipe(scheme="classical"), {"link": {"latent_dim": 512}})
    link = untrained("classical", recipe, (1, 8, 8), 10, seed=0)
    with pytest.raises(SemveilError, match="compresses and codes images, which no network does"):
        semveil.export(link, tmp_path / "out", int8=False)
