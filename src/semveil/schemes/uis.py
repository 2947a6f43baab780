"""UIS-ToSC: vector quantisation and adversarial learning against an inverter."""

from semveil.schemes.base import Scheme
from semveil.schemes.lbvq import DEVIATIONS
from semveil.schemes.parts import digital_link
from semveil.training.task import TaskOriented

SCHEME = Scheme(
    name="uis",
    title="vector quantisation and adversarial learning against an inverter",
    source="Zhang, Wang, Guo, IEEE Commun. Lett. 28(6), 2024",
    protects="the image, from an inverter like the simulated one",
    asymmetry="task",
    deviations=(
        *DEVIATIONS,
        "The informativeness term acts on the indices that are transmitted (their mutual "
        "information with the image), not on a side branch that is not.",
        "The adversary hears the waveform over her channel, her output covers the images' range, "
        "and her error counts no further than the mean image's.",
    ),
    objective=lambda recipe, link, eve: TaskOriented(
        recipe,
        link,
        eve,
        "uis",
        bottleneck=recipe.bottleneck.weight,
        inverter=recipe.inverter.weight,
    ),
    build=lambda recipe, shape, classes: digital_link(recipe, shape, classes, "nearest"),
    reference="deepjscc",
    composes=True,
    simulates=("image",),
)
