"""Keyed rotation: an orthogonal transform of the latent, fresh for every message."""

from semveil.protect.rotation import Rotation
from semveil.schemes.base import Scheme, Variant
from semveil.schemes.deepjscc import DEVIATIONS
from semveil.schemes.parts import task_link
from semveil.training.task import TaskOriented

SCHEME = Scheme(
    name="rotation",
    title="every block of four reals turned by a keyed random unit quaternion",
    source="this project",
    protects="the image and the label, from whoever lacks the key",
    asymmetry="key",
    guarantee="the waveform is independent of the image (blocks of constant norm, Haar rotations, "
    "ideal keystream); proof in the documentation",
    deviations=(
        *DEVIATIONS,
        "Blocks have constant norm, which costs one degree of freedom in four.",
        "Variant ``haar`` turns the whole latent of ``deepjscc`` by a Haar unitary; "
        "``structured`` by signs, permutations and Hadamard transforms, without proof.",
    ),
    objective=lambda recipe, link, eve: TaskOriented(recipe, link, eve, "rotation"),
    build=task_link,
    protections=("rotation",),
    variants={
        "haar": Variant(
            lambda recipe, link, key: Rotation(key, "haar"),
            base="deepjscc",
            guarantee="as the blocks', for the whole latent",
        ),
        "structured": Variant(
            lambda recipe, link, key: Rotation(key, "structured"), base="deepjscc"
        ),
    },
    reference="deepjscc",
    composes=True,
    simulates=("image",),
)
