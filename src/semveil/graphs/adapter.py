"""Weights of a public system as ONNX graphs: its architecture is stated in our blocks.

The layout is that of the widely copied PyTorch form of DeepJSCC (github.com/chunbaobao/
Deep-JSCC-PyTorch), the five layers of Bourtsoulatze, Kurka and Gündüz (arXiv 1809.01733).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from semveil.errors import SemveilError
from semveil.files import new_folder
from semveil.graphs.export import End, checked_graph
from semveil.graphs.exporter import require_export
from semveil.nets.convolutional import ImageShape
from semveil.nets.deepjscc import DeepJsccDecoder, DeepJsccEncoder, Prelu
from semveil.phy import normalise_reals
from semveil.rng import generator, uniform
from semveil.zoo.entry import read_tensor_file

DEVIATIONS = (
    "One more PReLU, with a slope of its own, follows the encoder's last layer. It is part of the "
    "graph, as it is of the weights.",
    "There, each real has unit power, and so a symbol of two reals has two units. The encoder's "
    "graph sends one unit per symbol, and the decoder's graph multiplies by √2.",
    "There, noise has half the stated variance on each real of unit power: a nominal 10 dB is "
    "13.0 dB of ours. In revisions that divide by no two, nominal SNRs are ours.",
    "There, reals are never paired over AWGN. Here, the first half of the feature maps are real "
    "parts and the second half imaginary ones, the halves that its fading tells apart.",
    "There, fading is two real gains for a whole batch, without phase, and no equaliser. Such "
    "weights were trained for another channel than any here: audit them over AWGN.",
)
"""What the weights' own code does otherwise, and what becomes of it here."""
_PREFIX = "module."  # of networks that were trained on several devices
_LAYERS, _MOST_SIDE, _TRIED = 5, 512, 16


class FiveLayerEncoder(nn.Module):
    """Images → symbols ``[B, 2, k]`` of unit power, real parts before imaginary ones."""

    def __init__(self, image_shape: ImageShape, maps: int) -> None:
        super().__init__()
        _, height, width = image_shape
        self.layers = nn.Sequential(
            *DeepJsccEncoder(image_shape, maps * height * width // 16).layers, Prelu()
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` in [0, 1]."""
        return normalise_reals(self.layers(images).flatten(1)).unflatten(1, (2, -1))


class FiveLayerDecoder(nn.Module):
    """Symbols ``[B, 2, k]`` as received over AWGN → images in [0, 1]."""

    def __init__(self, image_shape: ImageShape, maps: int) -> None:
        super().__init__()
        _, height, width = image_shape
        self.maps = (maps, height // 4, width // 4)
        self.layers = DeepJsccDecoder(image_shape, maps * height * width // 16).layers

    def forward(self, symbols: Tensor) -> Tensor:
        """Reconstruct ``[B, C, H, W]``."""
        maps = 2**0.5 * symbols.flatten(1).unflatten(1, self.maps)
        return torch.sigmoid(self.layers(maps))


def _names() -> tuple[dict[str, str], dict[str, str]]:
    """Return the names of both ends' tensors in our blocks by those of the layout."""
    encoder, decoder = {}, {}
    for place in range(_LAYERS):
        for part in ("weight", "bias"):
            encoder[f"encoder.conv{place + 1}.conv.{part}"] = f"layers.{2 * place}.{part}"
            decoder[f"decoder.tconv{place + 1}.transconv.{part}"] = f"layers.{2 * place}.{part}"
        encoder[f"encoder.conv{place + 1}.prelu.weight"] = f"layers.{2 * place + 1}.weight"
        if place < _LAYERS - 1:  # a sigmoid follows the last one
            name = f"decoder.tconv{place + 1}.activate.weight"
            decoder[name] = f"layers.{2 * place + 1}.weight"
    return encoder, decoder


def read_five_layers(
    weights: str | Path, image_size: int = 32
) -> tuple[FiveLayerEncoder, FiveLayerDecoder]:
    """Return both ends of a five-layer DeepJSCC from a state dict in safetensors.

    Args:
        weights: The file; nothing in it is executed.
        image_size: Height and width of the images, pixels, a multiple of four.

    Raises:
        SemveilError: If the file is pickled or damaged, its tensors are not those of the layout,
            or the size does not fit.
    """
    path = Path(weights)
    if image_size % 4 or not 4 <= image_size <= _MOST_SIDE:
        raise SemveilError(
            f"image_size: {image_size} is no multiple of four from 4 to {_MOST_SIDE}"
        )
    tensors = _read(path)
    encoder, decoder = _names()
    wanted = encoder.keys() | decoder.keys()
    for name in sorted(wanted ^ tensors.keys()):
        what = "is missing" if name in wanted else "is not of this layout"
        raise SemveilError(f"{path}: {name[:80]} {what}; the five-layer DeepJSCC is expected")
    first, last = (tensors[f"encoder.conv{place}.conv.weight"] for place in (1, _LAYERS))
    if first.ndim != 4 or last.ndim != 4 or not 1 <= first.shape[1] <= 4:
        raise SemveilError(f"{path}: encoder.conv1 and conv5: no kernels for grey or colour images")
    if tensors["decoder.tconv5.transconv.weight"].shape[-1] == 6:
        raise SemveilError(
            f"{path}: kernels of 6×6 are of an earlier revision, without padding, which is not "
            "supported: export its ends as ONNX and audit those"
        )
    shape, maps = (int(first.shape[1]), image_size, image_size), int(last.shape[0])
    if maps < 1 or maps * (image_size // 4) ** 2 % 2:
        raise SemveilError(f"{path}: {maps} feature maps are no whole symbols of two reals")
    ends = FiveLayerEncoder(shape, maps), FiveLayerDecoder(shape, maps)
    for end, names in zip(ends, (encoder, decoder), strict=True):
        own = end.state_dict()
        for name, ours in names.items():
            found = tensors[name]
            if found.shape != own[ours].shape:
                raise SemveilError(
                    f"{path}: {name} is {list(found.shape)}, not {list(own[ours].shape)}"
                )
            if not found.is_floating_point() or not bool(found.isfinite().all()):
                raise SemveilError(f"{path}: {name} holds what are no finite numbers")
        end.load_state_dict({ours: tensors[name].float() for name, ours in names.items()})
        end.eval().requires_grad_(False)
    return ends


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors = load(read_tensor_file(path))
    except SafetensorError as error:
        reason = " ".join(str(error).split())[:200]
        raise SemveilError(f"{path} is no file of safetensors, or damaged: {reason}") from None
    if all(name.startswith(_PREFIX) for name in tensors):
        return {name.removeprefix(_PREFIX): each for name, each in tensors.items()}
    return tensors


def adapt(weights: str | Path, out: str | Path, *, image_size: int = 32) -> Path:
    """Write a public five-layer DeepJSCC as ``encoder.onnx`` and ``decoder.onnx``.

    Args:
        weights: Its state dict in safetensors.
        out: Folder to make; its ``README.md`` states what differs from the weights' own code.
        image_size: Height and width of the images, pixels, a multiple of four.

    Returns:
        The folder.

    Raises:
        SemveilError: If the file is refused, a library is missing, or the folder exists.
    """
    require_export()
    encoder, decoder = read_five_layers(weights, image_size)
    channels = next(encoder.parameters()).shape[1]
    images = uniform((_TRIED, channels, image_size, image_size), generator=generator(0, "adapt"))
    symbols = encoder(images)
    ends = {
        "encoder": End(encoder, ("images",), ("symbols",), (images,), ()),
        "decoder": End(decoder, ("symbols",), ("images",), (symbols,), ()),
    }
    files: dict[str, bytes | str] = {
        f"{name}.onnx": checked_graph(end, f"{Path(weights).name}: its {name}")[0]
        for name, end in ends.items()
    }
    notes = "\n".join(f"- {each}" for each in DEVIATIONS)
    files["README.md"] = (
        f"# {Path(weights).stem}: five-layer DeepJSCC\n\n"
        f"{symbols.shape[2]} symbols for an image of {channels}×{image_size}×{image_size}.\n\n"
        f"What differs from the code that the weights come from:\n\n{notes}\n\n"
        "```sh\nsemveil audit encoder.onnx --decoder decoder.onnx --data cifar10 "
        "--equaliser zero-forcing --set bob.fading=awgn --set eve.fading=awgn\n```\n"
    )
    folder = Path(out)
    folder.parent.mkdir(parents=True, exist_ok=True)
    new_folder(folder, files)
    return folder
