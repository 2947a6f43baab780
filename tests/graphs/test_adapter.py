"""Weights of a public system, against an independent form of its architecture."""

from __future__ import annotations

import math
import pickle
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from commands import CommandLine, refusal, succeed
from semveil.graphs.adapter import DEVIATIONS, read_five_layers

MAPS, SIDE = 8, 32
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def weights() -> Weights:
    """A state dict in the layout of the public weights, of random numbers."""
    draw = torch.Generator().manual_seed(3)

    def layer(name: str, *shape: int) -> Weights:
        scale = math.prod(shape[1:]) ** -0.5
        outputs = shape[1] if "tconv" in name else shape[0]
        return {
            f"{name}.weight": scale * torch.randn(shape, generator=draw),
            f"{name}.bias": 0.1 * torch.randn(outputs, generator=draw),
        }

    sizes = [3, 16, 32, 32, 32, MAPS]
    found: Weights = {}
    for number, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
        found |= layer(f"encoder.conv{number}.conv", outputs, inputs, 5, 5)
        found[f"encoder.conv{number}.prelu.weight"] = torch.rand(1, generator=draw)
    back = sizes[::-1]
    for number, (inputs, outputs) in enumerate(pairwise(back), start=1):
        found |= layer(f"decoder.tconv{number}.transconv", inputs, outputs, 5, 5)
        if number < 5:
            found[f"decoder.tconv{number}.activate.weight"] = torch.rand(1, generator=draw)
    return found


def sent(weights: Weights, images: Tensor) -> Tensor:
    """Return the maps of the architecture as it is published, every real of unit power."""
    maps = images
    for number in range(1, 6):
        name = f"encoder.conv{number}"
        kernel, bias = weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"]
        maps = functional.conv2d(maps, kernel, bias, stride=2 if number < 3 else 1, padding=2)
        maps = torch.where(maps > 0, maps, weights[f"{name}.prelu.weight"] * maps)
    return maps / maps.square().mean((1, 2, 3), keepdim=True).sqrt()


def decoded(weights: Weights, maps: Tensor) -> Tensor:
    """Return the images of the architecture as it is published, for maps as received."""
    for number in range(1, 6):
        name, doubles = f"decoder.tconv{number}", number > 3
        kernel, bias = weights[f"{name}.transconv.weight"], weights[f"{name}.transconv.bias"]
        layer = nn.ConvTranspose2d(
            *kernel.shape[:2], 5, 2 if doubles else 1, 2, output_padding=int(doubles)
        )
        layer.load_state_dict({"weight": kernel, "bias": bias})
        maps = layer(maps)
        if number < 5:
            maps = torch.where(maps > 0, maps, weights[f"{name}.activate.weight"] * maps)
    return maps.sigmoid()


@pytest.fixture
def images() -> Tensor:
    return torch.rand((6, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_both_ends_are_those_of_the_published_architecture(
    weights: Weights, images: Tensor, tmp_path: Path
) -> None:
    save_file(weights, tmp_path / "w.safetensors")
    encoder, decoder = read_five_layers(tmp_path / "w.safetensors")
    symbols, maps = encoder(images), sent(weights, images)
    k = MAPS * 8 * 8 // 2
    assert symbols.shape == (6, 2, k)
    # One unit per symbol, where every real has one there.
    torch.testing.assert_close(symbols.square().sum((1, 2)), torch.full((6,), float(k)))
    real, imaginary = maps[:, : MAPS // 2].flatten(1), maps[:, MAPS // 2 :].flatten(1)
    torch.testing.assert_close(2**0.5 * symbols[:, 0], real, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(2**0.5 * symbols[:, 1], imaginary, atol=2e-5, rtol=1e-4)
    # Our noise per real at 10 dB, on symbols of unit power, is theirs of 10 dB before the halving.
    noise = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1)) * 0.1**0.5
    theirs = decoded(weights, maps + noise)
    ours = decoder(symbols + noise.flatten(1).unflatten(1, (2, -1)) / 2**0.5)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)
    assert theirs.std() > 0.03


def test_names_of_several_devices_are_those_of_one(weights: Weights, tmp_path: Path) -> None:
    save_file(weights, tmp_path / "one.safetensors")
    save_file(
        {f"module.{name}": each for name, each in weights.items()}, tmp_path / "b.safetensors"
    )
    one, several = (read_five_layers(tmp_path / f"{name}.safetensors") for name in ("one", "b"))
    for mine, other in zip(one, several, strict=True):
        for name, value in mine.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])


def test_the_command_writes_graphs_that_compute_the_same(
    weights: Weights, images: Tensor, tmp_path: Path, semveil: CommandLine
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    save_file(weights, tmp_path / "w.safetensors")
    done = succeed(semveil("adapt", tmp_path / "w.safetensors", "--out", tmp_path / "adapted"))
    assert all(each in done.out for each in DEVIATIONS)
    assert all(each in (tmp_path / "adapted" / "README.md").read_text() for each in DEVIATIONS)
    encode, decode = (
        runtime.InferenceSession(tmp_path / "adapted" / f"{name}.onnx")
        for name in ("encoder", "decoder")
    )
    (symbols,) = encode.run(None, {"images": images.numpy()})
    maps = sent(weights, images).flatten(1).unflatten(1, (2, -1)).numpy()
    np.testing.assert_allclose(2**0.5 * symbols, maps, atol=1e-4)
    (pictures,) = decode.run(None, {"symbols": symbols})
    with torch.no_grad():
        wanted = decoded(weights, sent(weights, images)).numpy()
    np.testing.assert_allclose(pictures, wanted, atol=1e-4)


def lost(weights: Weights) -> Weights:
    return {name: each for name, each in weights.items() if name != "encoder.conv5.prelu.weight"}


def earlier(weights: Weights) -> Weights:
    return weights | {"decoder.tconv5.transconv.weight": torch.zeros(16, 3, 6, 6)}


BAD = {
    "tensor missing": (lost, "encoder.conv5.prelu.weight is missing"),
    "other system": (lambda w: w | {"encoder.layers.0": torch.zeros(1)}, "not of this layout"),
    "earlier revision": (earlier, "earlier revision"),
    "slope per channel": (
        lambda w: w | {"encoder.conv1.prelu.weight": torch.zeros(16)},
        r"conv1.prelu.weight is \[16\], not \[1\]",
    ),
    "not finite": (
        lambda w: w | {"encoder.conv1.conv.bias": torch.full((16,), math.nan)},
        "no finite numbers",
    ),
    "other kernels": (
        lambda w: w | {"encoder.conv1.conv.weight": torch.zeros(16, 75)},
        "no kernels",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_weights_are_refused(
    weights: Weights, tmp_path: Path, semveil: CommandLine, kind: str
) -> None:
    pytest.importorskip("onnxruntime")
    change, words = BAD[kind]
    save_file(change(weights), tmp_path / "w.safetensors")
    line = refusal(semveil("adapt", tmp_path / "w.safetensors", "--out", tmp_path / "out"))
    assert re.search(words, line)
    assert not (tmp_path / "out").exists()


def test_pickles_damage_and_sizes_are_refused(
    weights: Weights, tmp_path: Path, semveil: CommandLine
) -> None:
    pytest.importorskip("onnxruntime")
    pickled, torn, good = (tmp_path / name for name in ("a.pkl", "b.safetensors", "c.safetensors"))
    torch.save(weights, pickled)

    def line(*words: str | Path) -> str:
        return refusal(semveil("adapt", *words, "--out", tmp_path / "out"))

    assert "pickled weights are refused" in line(pickled)
    pickled.write_bytes(pickle.dumps({"a": 1}))
    assert "pickled weights are refused" in line(pickled)
    save_file(weights, good)
    torn.write_bytes(good.read_bytes()[:-100])
    assert "damaged" in line(torn)
    assert "no multiple of four" in line(good, "--image-size", "30")
    assert "cannot read" in line(tmp_path / "none")
    assert not (tmp_path / "out").exists()
