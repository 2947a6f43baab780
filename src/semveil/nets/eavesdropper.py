"""Networks of eavesdroppers: several capacities, for the label and for the image."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from semveil.errors import unknown
from semveil.nets.convolutional import ImageShape, Reconstructor, ResidualReconstructor
from semveil.nets.dense import DenseImage, Mlp, ResidualBlock, ResidualMlp
from semveil.nets.sets import SetMlp

INFERENCE = ("linear", "mlp", "wide", "set")
INVERSION = ("linear", "mlp", "deconv", "residual", "set")


def inference_network(
    capacity: str, inputs: int, classes: int, units: int | None = None
) -> nn.Module:
    """Build a network that infers the label.

    Args:
        capacity: ``linear`` (logistic regression), ``mlp`` (two hidden layers), ``wide`` (residual,
            about 20 times as many weights as ``mlp``) or ``set`` (permutation-invariant).
        inputs: Reals observed per image.
        classes: Number of classes.
        units: Units of a hidden layer; those of the capacity if None.

    Raises:
        SemveilError: If there is no such capacity.

    Example:
        >>> sum(p.numel() for p in inference_network("linear", 17, 10).parameters())
        180
    """
    if capacity == "linear":
        return Mlp(inputs, (), classes)
    if capacity == "mlp":
        return Mlp(inputs, 2 * (units or 256,), classes)
    if capacity == "wide":
        return ResidualMlp(inputs, units or 512, 3, classes)
    if capacity == "set":
        return SetMlp(inputs, units or 256, classes)
    raise unknown("inference capacity", capacity, INFERENCE)


def inversion_network(
    capacity: str, inputs: int, image_shape: ImageShape, units: int | None = None
) -> nn.Module:
    """Build a network that reconstructs the image, with outputs in [0, 1].

    Args:
        capacity: ``linear``, ``mlp``, ``deconv`` (transposed convolutions), ``set``
            (permutation-invariant), or ``residual`` (residual blocks and a linear map beside
            them).
        inputs: Reals observed per image.
        image_shape: Channels, height, width.
        units: Units of a hidden layer; those of the capacity if None.

    Raises:
        SemveilError: If there is no such capacity.

    Example:
        >>> import torch
        >>> inversion_network("mlp", 17, (1, 8, 8))(torch.zeros(2, 17)).shape
        torch.Size([2, 1, 8, 8])
    """
    channels, height, width = image_shape
    pixels = channels * height * width
    if capacity == "linear":
        return DenseImage(Mlp(inputs, (), pixels), image_shape)
    if capacity == "mlp":
        return DenseImage(Mlp(inputs, 2 * (units or 512,), pixels), image_shape)
    if capacity == "deconv":
        return Reconstructor(inputs, image_shape)
    if capacity == "residual":
        return ResidualReconstructor(inputs, image_shape, units or 48)
    if capacity == "set":
        return DenseImage(SetMlp(inputs, units or 512, pixels), image_shape)
    raise unknown("inversion capacity", capacity, INVERSION)


class MultiHead(nn.Module):
    """A wide residual network that infers the label and rebuilds the image by several heads.

    What it keeps to rebuild the image keeps it from learning the labels of few images by heart.

    Args:
        inputs: Reals observed per image.
        classes: Number of classes.
        image_shape: Channels, height, width.
        units: Units of a hidden layer.
        heads: Names of the heads that rebuild the image.
        front: What observations pass first; ``inputs`` counts its outputs.

    Shape:
        float ``[B, inputs]`` → logits ``[B, classes]``.

    Example:
        >>> network = MultiHead(17, 10, (1, 8, 8), 32, ["sharp"])
        >>> logits, images = network.all(torch.zeros(2, 17))
        >>> logits.shape, images["sharp"].shape
        (torch.Size([2, 10]), torch.Size([2, 1, 8, 8]))
    """

    def __init__(
        self,
        inputs: int,
        classes: int,
        image_shape: ImageShape,
        units: int,
        heads: Iterable[str],
        front: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        blocks = [ResidualBlock(units) for _ in range(3)]
        self.trunk = nn.Sequential(front or nn.Identity(), nn.Linear(inputs, units), *blocks)
        self.label = _head(units, classes)
        self.picture = ResidualBlock(units)
        self.images = nn.ModuleDict({name: _head(units, math.prod(image_shape)) for name in heads})

    def all(self, observations: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits ``[B, classes]`` and images ``[B, C, H, W]`` in [0, 1] by head."""
        state = self.trunk(observations)
        picture = self.picture(state)
        return self.label(state), {name: self._image(picture, name) for name in self.images}

    def image(self, observations: Tensor, head: str) -> Tensor:
        """Rebuild the image by one head, ``[B, C, H, W]`` in [0, 1]."""
        return self._image(self.picture(self.trunk(observations)), head)

    def _image(self, picture: Tensor, head: str) -> Tensor:
        return torch.sigmoid(self.images[head](picture)).unflatten(1, self.image_shape)

    def forward(self, observations: Tensor) -> Tensor:
        """Infer the label, logits ``[B, classes]``."""
        logits: Tensor = self.label(self.trunk(observations))
        return logits


def _head(units: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(units), nn.GELU(approximate="tanh"), nn.Linear(units, outputs)
    )


class ImageHead(nn.Module):
    """One of the heads by which a network rebuilds the image.

    Args:
        network: The network.
        head: Name of the head.

    Shape:
        float ``[B, inputs]`` → images ``[B, C, H, W]`` in [0, 1].

    Example:
        >>> several = MultiHead(17, 10, (1, 8, 8), 32, ["sharp", "smooth"])
        >>> ImageHead(several, "sharp")(torch.zeros(2, 17)).shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(self, network: MultiHead, head: str) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, observations: Tensor) -> Tensor:
        """Rebuild the image."""
        return self.network.image(observations, self.head)


class Ensemble(nn.Module):
    """Several networks that answer with the mean of their posteriors.

    Args:
        networks: Observations → logits ``[B, classes]``.

    Example:
        >>> import torch
        >>> pair = Ensemble([nn.Identity(), nn.Identity()])
        >>> pair(torch.tensor([[1.0, 3.0]])).softmax(1)
        tensor([[0.1192, 0.8808]])
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def each(self, observations: Tensor) -> list[Tensor]:
        """Return the logits ``[B, classes]`` of every network."""
        return [network(observations) for network in self.networks]

    def forward(self, observations: Tensor) -> Tensor:
        """Return the logarithm of the mean posterior, ``[B, classes]``."""
        posteriors = torch.stack([logits.log_softmax(1) for logits in self.each(observations)])
        return posteriors.logsumexp(0) - math.log(len(self.networks))


class SimulatedEve(nn.Module):
    """The adversary of the paper protocol: networks for the label and one for the image.

    She is trained along with the link and not retrained before she is scored.

    Args:
        capacity: Architecture of the network for the label.
        inputs: Reals observed per image.
        classes: Number of classes of what she infers.
        image_shape: Channels, height, width.
        ensemble: Networks for the label.
        private: Whether she infers a private attribute rather than Bob's task.

    Example:
        >>> import torch
        >>> eve = SimulatedEve("mlp", 17, 10, (1, 8, 8))
        >>> eve(torch.zeros(2, 17)).shape, eve.image(torch.zeros(2, 17)).shape
        (torch.Size([2, 10]), torch.Size([2, 1, 8, 8]))
    """

    def __init__(
        self,
        capacity: str,
        inputs: int,
        classes: int,
        image_shape: ImageShape,
        ensemble: int = 1,
        private: bool = False,
    ) -> None:
        super().__init__()
        networks = [inference_network(capacity, inputs, classes) for _ in range(ensemble)]
        self.label = networks[0] if ensemble == 1 else Ensemble(networks)
        self.image = inversion_network("deconv", inputs, image_shape)
        self.private = private

    def forward(self, observations: Tensor) -> Tensor:
        """Infer the labels, logits ``[B, classes]``; an ensemble's mean posterior."""
        return self.label(observations)

    def each(self, observations: Tensor) -> list[Tensor]:
        """Infer the labels, logits ``[B, classes]`` of every network."""
        label = self.label
        return label.each(observations) if isinstance(label, Ensemble) else [label(observations)]
