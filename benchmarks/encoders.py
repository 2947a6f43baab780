"""MobileSC's encoder and those that its paper compares it with, one image on one thread."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.agreement import require
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil.device import channels_last, one_thread
from semveil.nets.semantic import SemanticEncoder
from semveil.rng import generator, seeded, uniform
from semveil.schemes.parts import published_body

# MNIST, for which the paper gives its numbers (Table III).
IMAGE_SHAPE, CHANNELS = (1, 28, 28), 12
PARAMETERS = {"mobilesc": 805_464, "mobilenetv2": 1_476_032, "jscc-ofdm": 2_760_128}


class OneImage:
    """An encoder and the image that it encodes: no gradients, float32, channels last.

    Args:
        system: ``mobilesc``, ``mobilenetv2`` or ``jscc-ofdm``.
    """

    def __init__(self, system: str) -> None:
        self.system = system
        kind, blocks = published_body(system)
        with seeded(0, "weights"):
            encoder = SemanticEncoder(IMAGE_SHAPE, CHANNELS, blocks=blocks, kind=kind)
        self.encoder = channels_last(encoder).eval()
        self.image = uniform((1, *IMAGE_SHAPE), generator=generator(0, "images"))

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Encode it."""
        features: Tensor = self.encoder(self.image)
        return features


def require_published_size(one: OneImage) -> None:
    """Raise :class:`DisagreementError` unless an encoder has exactly the published parameters."""
    counted = sum(parameter.numel() for parameter in one.encoder.parameters())
    require(
        f"parameters of {one.system}",
        torch.tensor(float(counted)),
        torch.tensor(float(PARAMETERS[one.system])),
        tolerance=0.0,
    )


@one_thread()
def measure(reference: str, quick: bool, on_round: OnRound) -> Rounds:
    """Time a reference's encoder over MobileSC's, seconds per image."""
    theirs, ours = OneImage(reference), OneImage("mobilesc")
    for one in (theirs, ours):
        require_published_size(one)
    # Many short rounds: on a busy machine most of them are undisturbed.
    return alternate(
        Work(f"encoder of {reference}, per image", theirs, repeats=4),
        Work("encoder of mobilesc, per image", ours, repeats=4),
        5 if quick else 151,
        on_round,
    )


RATIOS = {
    "encoder_vs_jscc": Ratio(
        title="Encoder of OFDM-guided JSCC, over MobileSC's, one image on one thread",
        target=(">=", 1.0),
        measure=partial(measure, "jscc-ofdm"),
    ),
    "encoder_vs_mobilenetv2": Ratio(
        title="Encoder of MobileNetV2's blocks, over MobileSC's, one image on one thread",
        target=(">=", 1.0),
        measure=partial(measure, "mobilenetv2"),
    ),
}
