"""An eavesdropper with a generative prior: she returns one of the images that fit a reception."""

from __future__ import annotations

import copy
from functools import cached_property, partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Observations, Progress
from semveil.adversary.eavesdrop.inversion import Inversion, ResidualInversion
from semveil.nets.convolutional import ImageShape
from semveil.nets.flow import Flow
from semveil.section import Section


@EAVESDROPPERS.register
class FlowInversion(Eavesdropper):
    """A flow from another inverter's picture to one of the images that fit it.

    An inverter of least error returns the mean of all images that fit a reception; the flow returns
    one of them, sharp as the images are.
    """

    name = "inversion/flow"
    detailed = True
    target = "image"
    pace = 1 / 3
    description = "reconstructs one of the images that fit, by a generative prior"
    source = "Ohayon et al., Posterior-Mean Rectified Flow, ICLR 2025"

    class Config(Section):
        """Settings of a flow.

        Attributes:
            steps: Euler steps from the mean to an image.
        """

        steps: Annotated[int, Field(ge=1, le=64)] = 4

    config: Config

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train the inverter of least error, unless she was trained already, then the flow."""
        self.mean.fit(given, progress)
        super().fit(given, progress)

    @cached_property
    def mean(self) -> Inversion:
        """The inverter from whose pictures the flow starts."""
        return ResidualInversion(loss="log-mse")

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the flow from the inverter's pictures, as she was trained so far."""
        untrained = partial(self.mean.network, inputs, classes, image_shape)
        trained = self.mean.trained
        inverter = untrained() if trained is None else copy.deepcopy(trained)
        return Flow(inverter, image_shape, self.config.steps)

    def objective(
        self,
        network: nn.Module,
        features: Tensor,
        images: Tensor,
        labels: Tensor,
        source: torch.Generator,
    ) -> Tensor:
        """Return the error of the flow's velocity."""
        if not isinstance(network, Flow):
            raise TypeError(f"{self.name} trains flows")
        return network.error(features, images, source)
