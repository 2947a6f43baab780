"""DeepJSCC-LBVQ: a learned codebook, digital modulation, the robust information bottleneck."""

from semveil.schemes.base import Scheme
from semveil.schemes.parts import digital_link
from semveil.training.task import TaskOriented

DEVIATIONS = (
    "``link.latent_dim`` reals are half as many symbols: 32 for the papers' 16 tokens on 16-QAM, "
    '128 for the same bandwidth as the analog schemes. The survey\'s "dimension 128" does not '
    "say which.",
    "QAM's gain is fixed so that the training images have unit mean power; the papers scale the "
    "constellation's points, whichever are used.",
    "The trunk's and the codewords' widths are free.",
)

SCHEME = Scheme(
    name="lbvq",
    title="learned codebook with digital modulation, robust information bottleneck",
    source="Xie, Ma, Ding, Shi, Tang, Wu, IEEE JSAC 41(8), 2023 (arXiv 2209.10382)",
    protects="nothing by design: few bits are sent",
    asymmetry="task",
    deviations=DEVIATIONS,
    objective=lambda recipe, link, eve: TaskOriented(recipe, link, eve, "lbvq"),
    build=lambda recipe, shape, classes: digital_link(recipe, shape, classes, "gumbel"),
    reference="deepjscc",
    composes=True,
    simulates=("image",),
)
