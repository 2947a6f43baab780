"""``semveil export``: a trained link as ONNX graphs, with what stays outside of them and a card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semveil import phy
from semveil.channel import OfdmChannel
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.files import new_folder
from semveil.graphs import reference
from semveil.graphs.card import card_text
from semveil.graphs.ends import Receiver, Transmitter, refuse_unexportable
from semveil.graphs.exporter import OPSET, Session, require_export, to_graph
from semveil.graphs.quantise import quantise
from semveil.link import as_float
from semveil.links.cipher import CipherLink, LearnedTransform
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator, uniform

FORMAT = 1
INT8, FLOAT32 = "int8", "float32"
_PARITY_IMAGES, _CALIBRATION_IMAGES = 64, 256
# Of a waveform of unit power, of logits and of pictures; rounding stays a hundred times below.
_TOLERANCE = 1e-3

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class End:
    """One end of a link as a network, with inputs to try it on.

    Attributes:
        network: The network in real arithmetic.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        tried: Inputs that parity is measured on.
        calibration: Inputs that scales of eight bits come from.
    """

    network: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tried: tuple[Tensor, ...]
    calibration: tuple[Tensor, ...]


@dataclass(frozen=True)
class ExportedLink:
    """An exported link.

    Attributes:
        folder: Where its files are.
        card: What its ``card.json`` states.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """Its graphs."""
        return [self.folder / name for name in self.card["files"]]


def export_link(
    link: Link, folder: Path, *, int8: bool = True, progress: Progress | None = None
) -> ExportedLink:
    """Write a link's ends as ONNX graphs into a new folder.

    Args:
        link: A trained link.
        folder: Folder to make.
        int8: Whether the ends in eight bits are written too; they need the images of the run.
        progress: Called with stage, steps done, steps in all.

    Raises:
        SemveilError: If the link is no networks alone, a library is missing, a graph does not
            compute what torch does, or the folder exists.
    """
    require_export()
    refuse_unexportable(link)
    outside = _outside(link)
    graphs: dict[str, bytes] = {}
    files: dict[str, Any] = {}
    ends = ends_of(link, int8)
    shapes: dict[str, Any] = {}
    steps = len(ends) * (1 + int8)
    for name, end in ends.items():
        graph, exact = checked_graph(end, f"{link.name.label} is not exported: its {name}")
        wanted = _torch(end)
        kinds = {f"{name}.onnx": (FLOAT32, graph)}
        _progress(progress, len(files) + 1, steps)
        if int8:
            inputs = dict(zip(end.inputs, map(_array, end.calibration), strict=True))
            kinds[f"{name}.{INT8}.onnx"] = (INT8, quantise(graph, inputs))
            _progress(progress, len(files) + 2, steps)
        for file, (precision, content) in kinds.items():
            difference = exact if precision == FLOAT32 else _differences(end, content, wanted)
            graphs[file] = content
            files[file] = {
                "precision": precision,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "max_abs_difference": difference,
            }
        shapes[name] = {
            "inputs": {
                key: ["B", *each.shape[1:]] for key, each in zip(end.inputs, end.tried, strict=True)
            },
            "outputs": {
                key: ["B", *each.shape[1:]] for key, each in zip(end.outputs, wanted, strict=True)
            },
        }
    card: dict[str, Any] = {
        "format": FORMAT,
        "system": link.name.label,
        "scheme": link.plan.scheme.name,
        "guarantee": link.plan.guarantee,
        "dataset": link.recipe.data.name,
        "semveil": version("semveil"),
        "opset": OPSET,
        "images": "float32 in [0, 1]",
        "channel": link.channel.name,
        "train_snr_db": link.recipe.bob.snr_db,
        "power": "one per symbol, " + ("on average" if link.network.fixed_gain else "every image"),
        **shapes,
        "outside": outside,
        "parity_images": len(ends["encoder"].tried[0]),
        "calibration_images": len(ends["encoder"].calibration[0]) if int8 else 0,
        "files": files,
    }
    beside: dict[str, bytes | str] = {
        "card.json": json.dumps(card, indent=1) + "\n",
        "README.md": card_text(card),
        "reference.py": Path(reference.__file__).read_text(encoding="utf-8"),
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    new_folder(folder, {**graphs, **beside})
    return ExportedLink(folder, card)


def checked_graph(end: End, whose: str) -> tuple[bytes, dict[str, float]]:
    """Return one end as a graph, and the greatest difference of every output from torch's.

    Raises:
        SemveilError: If the graph does not compute what torch does; it begins with whose it is.
    """
    graph = to_graph(end.network, end.tried, end.inputs, end.outputs)
    difference = _differences(end, graph, _torch(end))
    if max(difference.values()) > _TOLERANCE:
        raise SemveilError(
            f"{whose} as a graph differs from torch by {max(difference.values()):.2g}"
        )
    return graph, difference


def _progress(progress: Progress | None, done: int, steps: int) -> None:
    if progress:
        progress("graphs", done, steps)


def ends_of(link: Link, calibrated: bool) -> dict[str, End]:
    """Return both ends of a link; without calibration they are tried on random images."""
    network, source = link.network, generator(link.seed, "export", device=link.device)
    if calibrated:
        assert link.run is not None
        splits = link.run.splits
        shown, known = (
            as_float(torch.from_numpy(each)).to(link.device)
            for each in (splits.test.x[:_PARITY_IMAGES], splits.system.x[:_CALIBRATION_IMAGES])
        )
    else:
        shown = known = uniform(
            (_PARITY_IMAGES, *link.image_shape), generator=source, device=link.device
        )
    sent, heard = Transmitter(network).eval(), Receiver(network).eval()
    parts = [_inputs(link, images, source) for images in (shown, known)]
    key = ("key",) if isinstance(network, CipherLink) else ()
    answers = {"logits": network.classifies, "images": network.reconstructor is not None}
    outputs = tuple(name for name, given in answers.items() if given)
    return {
        "encoder": End(sent, ("images", *key), ("symbols",), parts[0][0], parts[1][0]),
        "decoder": End(heard, ("symbols", "reliability", *key), outputs, parts[0][1], parts[1][1]),
    }


@torch.no_grad()
def _inputs(
    link: Link, images: Tensor, source: torch.Generator
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return inputs of both ends: images, and what Bob's decoder gets of them over his channel."""
    network, key = link.network, tuple[Tensor, ...]()
    waveform = network.transmit(images)
    if isinstance(network, CipherLink):
        drawn = uniform((len(images), network.key_bits), generator=source, device=link.device)
        bits = (drawn < 0.5).float() * 2 - 1
        waveform, key = network.encrypt(waveform, bits), (bits,)
    levels = torch.tensor([link.recipe.bob.snr_db, *link.recipe.audit.bob_snr_db])
    snr_db = levels.repeat(-(-len(images) // len(levels)))[: len(images)].to(link.device)
    features = link.channel(waveform, snr_db, generator=source).features()
    symbols = features[:, :-1].unflatten(1, (-1, 2)).transpose(1, 2).contiguous()
    return (images, *key), (symbols, features[:, -1:].contiguous(), *key)


def _array(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.cpu().contiguous().numpy()
    return found


@torch.no_grad()
def _torch(end: End) -> tuple[Tensor, ...]:
    found = end.network(*end.tried)
    return found if isinstance(found, tuple) else (found,)


def _differences(end: End, graph: bytes, wanted: tuple[Tensor, ...]) -> dict[str, float]:
    """Return the greatest absolute difference of every output from torch's."""
    found = Session(graph)(*map(_array, end.tried))
    return {
        name: float(np.abs(one - _array(other)).max())
        for name, one, other in zip(end.outputs, found, wanted, strict=True)
    }


def _outside(link: Link) -> dict[str, Any]:
    """Return what the reference file does beside the graphs, with its settings."""
    transform, channel = link.transform, link.channel
    found: dict[str, Any] = {"transform": None, "ofdm": None}
    if isinstance(transform, Rotation) and transform.form != "structured":
        blocks = transform.blocks
        size = link.channel_uses if transform.form == "haar" else blocks.size
        stride = 1 if transform.form == "haar" else blocks.stride
        settings = {"block": size, "stride": stride, "form": transform.form}
        found["transform"] = {"function": "rotate", "settings": settings}
    elif isinstance(transform, Shuffle):
        found["transform"] = {"function": "shuffle", "settings": {"fresh": transform.fresh}}
    elif isinstance(transform, LearnedTransform):
        found["transform"] = {"function": "key_bits", "settings": {"bits": transform.link.key_bits}}
    elif transform is not None:
        raise SemveilError(
            f"{link.name.label} is not exported: the numpy reference has no {transform.name}"
        )
    if isinstance(channel, OfdmChannel):
        if channel.clip_ratio is not None:
            raise SemveilError(
                f"{link.name.label} is not exported: the numpy reference limits no peaks; set "
                "ofdm.clip_ratio=null"
            )
        frame = {
            "subcarriers": channel.subcarriers,
            "prefix": channel.prefix,
            "pilots": channel.pilot_symbols,
        }
        known = channel.csi == "estimated" and channel.estimator == "lmmse"
        profile = phy.exponential_profile(channel.taps, channel.decay).tolist() if known else None
        found["ofdm"] = {"settings": frame, "profile": profile}
    return found
