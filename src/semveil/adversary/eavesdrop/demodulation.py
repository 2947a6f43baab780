"""An eavesdropper who demodulates: she reads the posteriors of constellation points."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Observations
from semveil.adversary.eavesdrop.inference import WideInference
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import MultiHead
from semveil.section import Section

_MOST_POINTS = 64


def points_of(waveforms: Tensor) -> Tensor | None:
    """Return the constellation that waveforms are made of; None if there are too many points.

    Args:
        waveforms: complex ``[N, k]``, without noise.

    Returns:
        Points, complex ``[M]`` with M ≤ 64.

    Example:
        >>> sent = torch.tensor([[1, 1j], [-1, 1]]) / 2**0.5
        >>> len(points_of(sent)), points_of(torch.randn(50, 2, dtype=torch.complex64))
        (3, None)
    """
    reals = torch.view_as_real(waveforms[:500].flatten())
    scale = reals.abs().max().clamp(min=1e-12)
    points = (reals / scale * 2048).round().unique(dim=0)
    if len(points) > _MOST_POINTS:
        return None
    return torch.view_as_complex((points * scale / 2048).contiguous())


class SoftDemodulator(nn.Module):
    """Features of a reception → posteriors of the points, and the features.

    The features tell the mean of a symbol and the variance around it; equal priors.

    Shape:
        float ``[B, 2k + 1]`` → float ``[B, kM + 2k + 1]``.
    """

    points: Tensor

    def __init__(self, points: Tensor) -> None:
        super().__init__()
        self.register_buffer("points", torch.view_as_real(points))

    def forward(self, features: Tensor) -> Tensor:
        """Demodulate ``[B, 2k + 1]``."""
        reliability = features[:, -1:, None, None].clamp(1e-4, 1 - 1e-6)
        symbols = features[:, :-1].unflatten(1, (-1, 1, 2)) / reliability
        distance = (symbols - self.points).square().sum(3, keepdim=True)
        variance = (1 - reliability) / reliability
        shares = (-distance / variance).squeeze(3).softmax(2)
        return torch.cat([shares.flatten(1), features], dim=1)


class Constellation(Section):
    """What she learns besides her network's weights.

    Attributes:
        points: I and Q of the points that symbols come from.
    """

    points: Annotated[list[tuple[float, float]], Field(min_length=2, max_length=65536)]


@EAVESDROPPERS.register
class DemodulatingInference(WideInference):
    """Soft demodulation before a residual network, where symbols are points of a constellation."""

    name = "inference/demodulating"
    detailed = False
    losses: ClassVar[dict[str, float]] = {"log-mse": 0.5}
    description = "infers the label from the posteriors of constellation points"
    source = "the project's own; soft demodulation is standard in receivers"
    points: Tensor | None = None
    Learned = Constellation

    def applies(self, given: Observations) -> bool:
        """Tell whether symbols come from few points."""
        self.points = given.constellation
        return self.points is not None

    def learned(self) -> Constellation:
        """Return the points; see :class:`Eavesdropper`."""
        assert self.points is not None
        return Constellation(points=torch.view_as_real(self.points).tolist())

    def recall(self, learned: Section) -> None:
        """Take the points; see :class:`Eavesdropper`."""
        assert isinstance(learned, Constellation)
        self.points = torch.view_as_complex(torch.tensor(learned.points))

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the demodulator and the residual network after it."""
        # Before a system is known, a network of four points tells how large she is.
        points = torch.ones(4, dtype=torch.complex64) if self.points is None else self.points
        wider = inputs + len(points) * (inputs - 1) // 2
        front = SoftDemodulator(points)
        return MultiHead(wider, classes, image_shape, self.config.width, self.losses, front)
