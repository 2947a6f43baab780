"""VFE: variational feature encoding, the information bottleneck without an adversary."""

from semveil.schemes.base import Scheme
from semveil.schemes.parts import bottleneck_link
from semveil.training.task import TaskOriented

DEVIATIONS = (
    "Power is one per complex symbol and image instead of a peak of one, and the bottleneck's "
    "price is that of the reals as transmitted, at Bob's SNR in training.",
    "The trunk's width is free; Bob's head is dense and reads the channel's reliability instead of "
    "an embedding of the noise.",
    "Length is constant by default; ``bottleneck.variable_length`` lets the gates follow the SNR "
    "that Alice is told (draw SNRs in training with ``train.snr_span_db``).",
    "Features that are switched off are sent as zeros, and their power goes to the others; how "
    "many are on is a record of its own.",
)

SCHEME = Scheme(
    name="vfe",
    title="variational feature encoding: information bottleneck without adversary",
    source="Shao, Mao, Zhang, IEEE JSAC 40(1), 2022 (arXiv 2102.04170)",
    protects="nothing by design: what the task does not need is dropped",
    asymmetry="task",
    deviations=DEVIATIONS,
    objective=lambda recipe, link, eve: TaskOriented(
        recipe, link, eve, "vfe", bottleneck=recipe.bottleneck.weight
    ),
    build=bottleneck_link,
    reference="deepjscc",
    composes=True,
    simulates=("image",),
)
