"""Eavesdroppers who reconstruct the image, in four capacities."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Observations, Progress
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import inversion_network
from semveil.section import Section

_SOURCE = "the project's own; fresh adversaries of several capacities"


class InversionConfig(Section):
    """Settings of an inverter.

    Attributes:
        loss: ``mse``, or ``perceptual``: MSE and perceptual loss, with equal weights.
    """

    loss: Literal["mse", "perceptual"] = "mse"


class Inversion(Eavesdropper):
    """An eavesdropper who reconstructs the image by a trained network."""

    target = "image"
    Config = InversionConfig
    config: InversionConfig
    perceptual: PerceptualLoss | None = None

    @property
    def adversary(self) -> str:
        """Her name in records, which tells the perceptual loss."""
        return self.name + ("+perceptual" if self.config.loss == "perceptual" else "")

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train her; see :class:`Eavesdropper`."""
        self.pleases_judge = self.config.loss == "perceptual"
        self.perceptual = given.perceptual() if self.pleases_judge else None
        super().fit(given, progress)

    def loss(self, output: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return the squared error and, where it is wanted, the perceptual loss."""
        error = super().loss(output, images, labels)
        return error if self.perceptual is None else error + self.perceptual(output.float(), images)


class DenseConfig(InversionConfig):
    """Settings of an inverter with hidden layers.

    Attributes:
        loss: ``mse``, or ``perceptual``: MSE and perceptual loss, with equal weights.
        width: Units of a hidden layer.
    """

    width: Annotated[int, Field(ge=2, le=65536)] = 512


class DenseInversion(Inversion):
    """An inverter with hidden layers."""

    Config = DenseConfig
    config: DenseConfig


@EAVESDROPPERS.register
class LinearInversion(Inversion):
    """One linear layer.

    Example:
        >>> LinearInversion(loss="perceptual").adversary
        'inversion/linear+perceptual'
    """

    name = "inversion/linear"
    description = "reconstructs the image by one linear layer"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return one linear layer."""
        return inversion_network("linear", inputs, image_shape)


@EAVESDROPPERS.register
class MLPInversion(DenseInversion):
    """Two hidden layers."""

    name = "inversion/mlp"
    description = "reconstructs the image by two hidden layers"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the multilayer perceptron."""
        return inversion_network("mlp", inputs, image_shape, self.config.width)


@EAVESDROPPERS.register
class DeconvInversion(Inversion):
    """Bob's architecture at its default size."""

    name = "inversion/deconv"
    description = "reconstructs the image by Bob's architecture, transposed convolutions"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the transposed convolutional network."""
        return inversion_network("deconv", inputs, image_shape)


@EAVESDROPPERS.register
class SetInversion(DenseInversion):
    """A network that does not depend on the order of the components."""

    name = "inversion/set"
    description = "reconstructs the image, invariant to the order of the components"
    source = "deep sets, Zaheer et al., arXiv 1703.06114"

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the deep-sets network."""
        return inversion_network("set", inputs, image_shape, self.config.width)
