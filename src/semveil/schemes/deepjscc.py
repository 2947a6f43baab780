"""DeepJSCC for a task, without protection: the reference of the privacy-preserving schemes."""

from semveil.schemes.base import Scheme
from semveil.schemes.parts import SURVEY, task_link
from semveil.training.task import TaskOriented

DEVIATIONS = (
    "The survey gives no layers: the residual trunk of VFE at a free width, a linear layer to the "
    "latent, a dense head; Bob has a task and rebuilds no image (our reading).",
    "A simulated Eve who rebuilds images learns alongside, without influence on Alice.",
)

SCHEME = Scheme(
    name="deepjscc",
    title="DeepJSCC for the task, unprotected",
    source=SURVEY,
    protects="nothing: the reference",
    asymmetry=None,
    deviations=DEVIATIONS,
    objective=lambda recipe, link, eve: TaskOriented(recipe, link, eve, "deepjscc"),
    build=task_link,
    reference="deepjscc",
    composes=True,
    simulates=("image",),
)
