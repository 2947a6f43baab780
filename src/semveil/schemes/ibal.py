"""IBAL: information bottleneck and adversarial learning against an inverter."""

from semveil.schemes.base import Scheme
from semveil.schemes.parts import bottleneck_link
from semveil.schemes.vfe import DEVIATIONS
from semveil.training.task import TaskOriented

SCHEME = Scheme(
    name="ibal",
    title="information bottleneck and adversarial learning against an inverter",
    source="Wang, Guo, Deng, Zhang, Fang, IEEE TWC 23(8), 2024 (arXiv 2312.03252)",
    protects="the image, from an inverter like the simulated one",
    asymmetry="task",
    deviations=(
        *DEVIATIONS,
        "The adversary is a deconvolution network whose output covers the images' range, not one "
        "linear layer that cannot reach white; she moves once per step of Alice's and Bob's.",
        "Her error counts no further than the mean image's.",
        "``inverter.form: noise`` is the weight 1/(1 + σ) of the dynamic version; the paper's "
        "balancing of losses by multiple gradient descent is not public.",
    ),
    objective=lambda recipe, link, eve: TaskOriented(
        recipe,
        link,
        eve,
        "ibal",
        bottleneck=recipe.bottleneck.weight,
        inverter=recipe.inverter.weight,
    ),
    build=bottleneck_link,
    reference="deepjscc",
    composes=True,
    simulates=("image",),
)
