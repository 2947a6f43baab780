"""Eavesdroppers who infer the label, in four capacities."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.eavesdrop.losses import log_error
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import Recogniser, inference_network
from semveil.section import Section

Width = Annotated[int, Field(ge=2, le=65536)]
# What the logarithm of the image's error weighs beside the label's.
_IMAGE = 0.5
_SOURCE = "the project's own; fresh adversaries of several capacities"


class DenseConfig(Section):
    """Settings of a network with hidden layers.

    Attributes:
        width: Units of a hidden layer.
    """

    width: Width = 256


class DenseInference(Eavesdropper):
    """An eavesdropper who infers the label by a network with hidden layers."""

    Config = DenseConfig
    config: DenseConfig


@EAVESDROPPERS.register
class LinearInference(Eavesdropper):
    """Logistic regression.

    Example:
        >>> LinearInference().adversary
        'inference/linear'
    """

    name = "inference/linear"
    pace = 2.0
    description = "infers the label by logistic regression"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return one linear layer."""
        return inference_network("linear", inputs, classes)


@EAVESDROPPERS.register
class MLPInference(DenseInference):
    """Two hidden layers: Bob's architecture at its default size."""

    name = "inference/mlp"
    description = "infers the label by Bob's architecture, two hidden layers"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the multilayer perceptron."""
        return inference_network("mlp", inputs, classes, self.config.width)


@EAVESDROPPERS.register
class WideInference(DenseInference):
    """A residual network with 20 times as many weights as Bob's."""

    name = "inference/wide"
    detailed = True
    description = "infers the label by a residual network of 20 times Bob's size"
    source = _SOURCE

    class Config(DenseConfig):
        """Settings of a residual network.

        Attributes:
            width: Units of a hidden layer.
        """

        width: Width = 512

    config: Config

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the residual network, which rebuilds the image beside the label."""
        return Recogniser(inputs, classes, image_shape, self.config.width)

    def objective(
        self,
        network: nn.Module,
        features: Tensor,
        images: Tensor,
        labels: Tensor,
        source: torch.Generator,
    ) -> Tensor:
        """Return the error of the label; in training, that of the image beside it."""
        if not isinstance(network, Recogniser):
            return super().objective(network, features, images, labels, source)
        logits, rebuilt = network.both(features)
        error = self.loss(logits, images, labels)
        return error + _IMAGE * log_error(rebuilt.float(), images) if network.training else error


@EAVESDROPPERS.register
class SetInference(DenseInference):
    """A network that does not depend on the order of the components."""

    name = "inference/set"
    description = "infers the label, invariant to the order of the components"
    source = "deep sets, Zaheer et al., arXiv 1703.06114"

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the deep-sets network."""
        return inference_network("set", inputs, classes, self.config.width)
