"""MobileSC's encoder and those that its paper compares it with, one image at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.bench.agreement import require
from semveil.bench.base import Rounds, Tick, Work, alternate
from semveil.device import channels_last, one_thread
from semveil.nets.semantic import SYSTEMS, SemanticEncoder
from semveil.rng import generator, seeded, uniform

# MNIST, for which the paper gives its numbers (Table III).
IMAGE_SHAPE, CHANNELS = (1, 28, 28), 12
PARAMETERS = {"mobilesc": 805_464, "mobilenetv2": 1_476_032, "jscc-ofdm": 2_760_128}


class OneImage:
    """An encoder and the image that it encodes: no gradients, float32, channels last.

    Args:
        system: ``mobilesc``, ``mobilenetv2`` or ``jscc-ofdm``.

    Example:
        >>> OneImage("mobilesc")().shape
        torch.Size([1, 768])
    """

    def __init__(self, system: str) -> None:
        self.system = system
        kind, blocks = SYSTEMS[system]
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
    """Raise unless an encoder has exactly the parameters that are published.

    Raises:
        DisagreementError: If it does not.

    Example:
        >>> require_published_size(OneImage("mobilesc"))
    """
    counted = sum(parameter.numel() for parameter in one.encoder.parameters())
    require(
        f"parameters of {one.system}",
        torch.tensor(float(counted)),
        torch.tensor(float(PARAMETERS[one.system])),
        tolerance=0.0,
    )


@one_thread()
def measure_against(reference: str, quick: bool, tick: Tick) -> Rounds:
    """Time a reference's encoder over MobileSC's, one image at a time.

    Args:
        reference: ``mobilenetv2`` or ``jscc-ofdm``.
        quick: Fewer and shorter rounds.
        tick: Told after every round.

    Returns:
        Seconds per image.

    Example:
        >>> measure_against("jscc-ofdm", True, lambda done, total: None).median > 0
        True
    """
    theirs, ours = OneImage(reference), OneImage("mobilesc")
    for one in (theirs, ours):
        require_published_size(one)
    # Many short rounds: on a machine with other things to do most of them are left alone.
    repeats = 4

    def work(one: OneImage) -> Work:
        def run() -> None:
            for _ in range(repeats):
                one()

        return Work(f"encoder of {one.system}, per image", run, repeats)

    return alternate(work(theirs), work(ours), 5 if quick else 151, tick)
