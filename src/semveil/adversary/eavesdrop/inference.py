"""Eavesdroppers who infer the label, in four capacities."""

from __future__ import annotations

import copy
import math
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Observations, Progress
from semveil.adversary.eavesdrop.losses import LOSSES
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import ImageHead, MultiHead, inference_network
from semveil.section import Section

Width = Annotated[int, Field(ge=2, le=65536)]
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
    """Two hidden layers."""

    name = "inference/mlp"
    description = "infers the label by two hidden layers"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the multilayer perceptron."""
        return inference_network("mlp", inputs, classes, self.config.width)


@EAVESDROPPERS.register
class WideInference(DenseInference):
    """A wide residual network, who rebuilds the image too; some 20 times the weights of the MLP.

    The wide inverters of the losses that she trains for are heads of her network, each with the
    weights of the epoch that was best for it.

    Attributes:
        losses: What the loss of each way to rebuild the image weighs beside that of the label.
    """

    name = "inference/wide"
    detailed = True
    scaled = True
    pace = 2 / 3
    losses: ClassVar[dict[str, float]] = {"log-mse": 0.5, "ssim": 3.0, "mi": 0.25}
    description = "infers the label by a wide residual network, which learns to rebuild images too"
    source = _SOURCE

    class Config(DenseConfig):
        """Settings of a residual network.

        Attributes:
            width: Units of a hidden layer.
        """

        width: Width = 512

    config: Config
    best: dict[str, tuple[float, dict[str, Tensor]]]

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the residual network."""
        return MultiHead(inputs, classes, image_shape, self.config.width, self.losses)

    def objective(
        self,
        network: nn.Module,
        features: Tensor,
        images: Tensor,
        labels: Tensor,
        source: torch.Generator,
    ) -> Tensor:
        """Return the losses of all heads, that of the label first."""
        if not isinstance(network, MultiHead):
            return super().objective(network, features, images, labels, source)
        logits, found = network.all(features)
        of_images = [
            weight * LOSSES[name](found[name].float(), images)
            for name, weight in self.losses.items()
        ]
        return torch.stack([self.loss(logits, images, labels), *of_images])

    def validated(self, network: nn.Module, losses: Tensor) -> float:
        """Keep the best weights of every head, and return the sum of their least losses so far."""
        found = zip(("label", *self.losses), losses.tolist(), strict=True)
        better = {head: loss for head, loss in found if loss < self.best.get(head, (math.inf,))[0]}
        if better:
            state = copy.deepcopy(network.state_dict())
            self.best |= {head: (loss, state) for head, loss in better.items()}
        known = sum(loss for loss, _ in self.best.values())
        return math.nan if bool(losses.isnan().any()) else known

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train the network for all heads; see :class:`Eavesdropper`."""
        self.best = {}
        super().fit(given, progress)
        assert self.trained is not None
        self.trained.load_state_dict(self.best["label"][1])

    def image_head(self, loss: str) -> ImageHead:
        """Return the head for a loss, with the weights that are best for it."""
        network = copy.deepcopy(self.trained)
        assert isinstance(network, MultiHead)
        network.load_state_dict(self.best[loss][1])
        return ImageHead(network, loss)


@EAVESDROPPERS.register
class SetInference(DenseInference):
    """A network that does not depend on the order of the components."""

    name = "inference/set"
    description = "infers the label, invariant to the order of the components"
    source = "deep sets, Zaheer et al., arXiv 1703.06114"

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the deep-sets network."""
        return inference_network("set", inputs, classes, self.config.width)
