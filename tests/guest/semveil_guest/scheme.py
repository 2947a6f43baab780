"""A scheme made of existing parts, with a setting of its own."""

from semveil.recipe import Section, Weight
from semveil.schemes import SCHEMES
from semveil.schemes.deepjscc import DeepJSCC
from semveil.training.task import InverterConfig, TaskOriented


@SCHEMES.register
class Guarded(DeepJSCC):
    """DeepJSCC for a task, trained against a simulated Eve who reconstructs the image."""

    name = "guarded"
    description = "DeepJSCC trained against a simulated Eve who reconstructs the image"
    source = "example of the documentation"
    protects = "the image, from an inverter like the simulated one"
    asymmetry = "task"

    class Config(Section):
        """Settings in the recipe's section ``guarded``.

        Attributes:
            weight: Weight of Eve's error beside Bob's loss.
        """

        weight: Weight = 5.0

    def objective(self, link, eve):
        """Return what trains the link."""
        weight = self.recipe.of(self.Config).weight
        return TaskOriented(self.recipe, link, eve, inverter=InverterConfig(weight=weight))
