"""An eavesdropper: a network of one's own, which audits train and score like the project's."""

from typing import Annotated

from pydantic import Field
from torch import nn

from semveil.eavesdroppers import EAVESDROPPERS, Eavesdropper
from semveil.recipe import Section


@EAVESDROPPERS.register
class Narrow(Eavesdropper):
    """Infers the label through a few hidden units."""

    name = "inference/narrow"
    description = "infers the label through a few hidden units"
    source = "example of the documentation"

    class Config(Section):
        """Settings in the recipe's section ``audit.inference/narrow``.

        Attributes:
            units: Hidden units.
        """

        units: Annotated[int, Field(gt=0, le=4096)] = 8

    def network(self, inputs, classes, image_shape):
        """Return the network: float ``[B, inputs]`` → logits ``[B, classes]``."""
        hidden = nn.Linear(inputs, self.config.units)
        return nn.Sequential(hidden, nn.Tanh(), nn.Linear(self.config.units, classes))
