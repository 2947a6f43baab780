"""Encoders and decoders of others: which of their tensors are symbols, logits and images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from semveil import phy
from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.graphs.load import Runner, read_graph
from semveil.link import Answer

Equaliser = Literal["mmse", "zero-forcing"]


class ForeignEncoder:
    """An encoder of an ONNX file as a transmitter.

    Its output is read as symbols: ``[B, 2, k]`` are real and imaginary parts, ``[B, k, 2]`` pairs,
    and everything else is flattened and paired, neighbour with neighbour.

    Args:
        path: The file.
        images: Images to try it on, float ``[B, C, H, W]`` in [0, 1].
        normalise: Whether to scale every image's waveform to unit power.

    Attributes:
        runner: What runs the graph.
        form: How its output was read, in words.
        symbols: Symbols per image.
        shape: Shape of its output without the batch.

    Raises:
        SemveilError: If the file is refused, it takes other images, or its output is no symbols.
    """

    def __init__(self, path: str | Path, images: Tensor, *, normalise: bool = False) -> None:
        file = read_graph(path)
        self.path, self.normalise = file.path, normalise
        if len(file.inputs) != 1:
            raise SemveilError(
                f"{path}: an encoder takes images alone, not {', '.join(file.inputs)}; keys and "
                "noise belong outside of the graph"
            )
        (wanted,) = file.inputs.values()
        shape = tuple(images.shape[1:])
        if len(wanted) != 4 or any(
            have not in (None, want) for have, want in zip(wanted[1:], shape, strict=True)
        ):
            raise SemveilError(
                f"{path} takes {_told(wanted)}, and the images are {_told((None, *shape))}"
            )
        self.runner = Runner(file)
        found = self.runner.check(images)[0]
        if len(found) != len(images) or found.ndim < 2:
            raise SemveilError(
                f"{path}: its output is {list(found.shape)} for {len(images)} images, not one row "
                "of symbols per image"
            )
        self.shape = tuple(found.shape[1:])
        self.form = _form(self.shape)
        reals = found[0].numel()
        if reals % 2:
            raise SemveilError(
                f"{path}: {reals} reals per image are no whole symbols of two, [B, 2, k]"
            )
        self.symbols = reals // 2

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the waveform, complex ``[B, k]``."""
        waveform = _paired(self.runner(images)[0])
        return phy.normalise_power(waveform) if self.normalise else waveform


class ForeignDecoder:
    """A decoder of an ONNX file as a receiver.

    It takes symbols in the form of the encoder's output or as ``[B, 2, k]``, and, if it has a
    second input of ``[B, 1]``, their reliability ``|h|²/(|h|² + σ²)``. An output ``[B, classes]``
    is logits, one of the images' shape pictures.

    Args:
        path: The file.
        encoder: The encoder.
        reception: A reception to try it on.
        classes: Number of classes.
        image_shape: Channels, height, width.
        equaliser: ``mmse``, or ``zero-forcing``, which leaves symbols as received over AWGN.

    Raises:
        SemveilError: If the file is refused, takes other symbols, or its outputs are no answers.
    """

    def __init__(
        self,
        path: str | Path,
        encoder: ForeignEncoder,
        reception: Reception,
        classes: int,
        image_shape: tuple[int, int, int],
        equaliser: Equaliser = "mmse",
    ) -> None:
        file = read_graph(path)
        self.path, self.equaliser = file.path, equaliser
        k = encoder.symbols
        self.forms: list[tuple[int, ...] | None] = []
        for shape in file.inputs.values():
            known = [form for form in ((2, k), encoder.shape, (k, 2)) if _fits(shape, form)]
            if known:
                self.forms.append(known[0])
            elif _fits(shape, (1,)):
                self.forms.append(None)
            else:
                raise SemveilError(
                    f"{path} takes {_told(shape)}, where {k} symbols are [B, 2, {k}] and their "
                    "reliability is [B, 1]"
                )
        if len([form for form in self.forms if form is not None]) != 1 or len(self.forms) > 2:
            raise SemveilError(f"{path}: a decoder takes symbols and, at most, their reliability")
        self.runner = Runner(file)
        found = self.runner.check(*self._inputs(reception))
        self.logits: int | None = None
        self.images: int | None = None
        for place, output in enumerate(found):
            if tuple(output.shape[1:]) == (classes,) and self.logits is None:
                self.logits = place
            elif tuple(output.shape[1:]) == tuple(image_shape) and self.images is None:
                self.images = place
        if self.logits is None and self.images is None:
            shapes = ", ".join(_told((None, *output.shape[1:])) for output in found)
            raise SemveilError(
                f"{path} gives {shapes}; logits are [B, {classes}] and images "
                f"{_told((None, *image_shape))}"
            )

    def _inputs(self, reception: Reception) -> list[Tensor]:
        features = reception.features()
        reliability = features[:, -1:]
        reals = features[:, :-1].unflatten(1, (-1, 2))
        if self.equaliser == "zero-forcing":
            reals = torch.view_as_real(phy.zero_forcing(reception.symbols, reception.csi))
        found = []
        for form in self.forms:
            if form is None:
                found.append(reliability)
            elif form == (2, reals.shape[1]):
                found.append(reals.transpose(1, 2))
            else:
                found.append(reals.reshape(len(reals), *form))
        return found

    def __call__(self, reception: Reception) -> Answer:
        """Return logits and images."""
        found = self.runner(*self._inputs(reception))
        return Answer(
            None if self.logits is None else found[self.logits],
            None if self.images is None else found[self.images],
        )


def _form(shape: tuple[int, ...]) -> str:
    if len(shape) == 2 and shape[0] == 2:
        return "real and imaginary parts [B, 2, k]"
    if len(shape) == 2 and shape[1] == 2:
        return "pairs [B, k, 2]"
    return f"reals {_told((None, *shape))}, two neighbours a symbol"


def _paired(output: Tensor) -> Tensor:
    """Return symbols, complex ``[B, k]``, of an encoder's output."""
    if output.ndim == 3 and output.shape[1] == 2:
        output = output.transpose(1, 2)
    return torch.view_as_complex(output.flatten(1).unflatten(1, (-1, 2)).contiguous())


def _fits(shape: tuple[int | None, ...], form: tuple[int, ...]) -> bool:
    return len(shape) == len(form) + 1 and all(
        have in (None, want) for have, want in zip(shape[1:], form, strict=True)
    )


def _told(shape: tuple[int | None, ...]) -> str:
    return f"[B, {', '.join('?' if size is None else str(size) for size in shape[1:])}]"
