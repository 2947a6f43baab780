"""DeepJSCC-DP: Laplace noise on the features, in two readings."""

from semveil.schemes.base import Scheme
from semveil.schemes.deepjscc import DEVIATIONS
from semveil.schemes.parts import SURVEY, task_link
from semveil.training.task import TaskOriented

SCHEME = Scheme(
    name="dp",
    title="DeepJSCC with Laplace noise on the features",
    source=SURVEY,
    protects="the image, by noise that Bob suffers too",
    asymmetry="task",
    guarantee="genuine reading: ε-local differential privacy of one message's features "
    "(clipping, fixed gain); paper reading: none",
    deviations=(
        *DEVIATIONS,
        "The survey defines neither sensitivity nor clipping. Paper reading: noise of scale "
        "``dp.scale / dp.epsilon`` on features of unit power per real, in training and test, power "
        "normalised afterwards. It is no differential privacy at the stated budget.",
        "Genuine reading: features clipped in ℓ1 to ``dp.clip``, noise of scale twice that over "
        "ε, a gain that does not depend on the image.",
    ),
    objective=lambda recipe, link, eve: TaskOriented(recipe, link, eve, "dp"),
    build=task_link,
    reference="deepjscc",
    protections=("laplace",),
    composes=True,
    simulates=("image",),
)
