"""What a scheme is: how its link is built and trained, and what it states about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from semveil.adversary.perturb.cooperative import WaveformLayer
from semveil.channel import Reception, channel_of
from semveil.errors import SemveilError
from semveil.link import Answer, LinkNetwork, multitask_link
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.protect import keyed_transform, protections
from semveil.protect.keyed_transform import KeyedTransform
from semveil.recipe import Recipe, Section
from semveil.registry import Registry
from semveil.style import Style
from semveil.training.minmax import MinMaxConfig
from semveil.training.objective import Objective

ASYMMETRIES = ("task", "channel", "key", "knowledge")

BuildTransform = Callable[[LinkNetwork, bytes], KeyedTransform]
"""Trained link, session key → keyed transform of the waveform."""
ReadReception = Callable[[LinkNetwork, Reception], Answer]
"""Trained link, what Bob's antenna heard → his answer."""
BuildLayer = Callable[[LinkNetwork, SimulatedEve, int], WaveformLayer]
"""Frozen link, frozen surrogate Eve, seed → layer on the waveform."""


@dataclass(frozen=True)
class Variant:
    """The same scheme with another keyed transform or another way to receive.

    Attributes:
        transform: Builds its keyed transform; None sends in the clear.
        base: Scheme whose trained link it uses; the scheme's own link if None.
        fixed_key: Whether one key serves all messages.
        guarantee: What it guarantees.
        receive: How Bob answers a reception; as the link does if None.
    """

    transform: BuildTransform | None = None
    base: str | None = None
    fixed_key: bool = False
    guarantee: str = "none"
    receive: ReadReception | None = None


class Scheme:
    """One published system, in its paper's terms.

    A scheme either trains a link of its own (:meth:`objective`), or puts a layer or a keyed
    transform on the waveform of another scheme's link (``base``).

    Attributes:
        name: Its name on the command line and in records.
        style: How it is drawn; in a colour by its name if None.
        description: One line about it.
        source: Where it was published.
        protects: Against what it is meant to protect.
        asymmetry: What the protection rests on: task, channel, key or knowledge; None if there
            is none.
        guarantee: What is proved of it, and on what conditions; ``none`` where nothing is.
        deviations: Where this implementation chose or differs, one sentence each.
        Config: Settings of its own, in the recipe's section of its name; None if it has none.
        settings: Further sections of the recipe that it reads.
        base: Scheme whose trained link it uses; None if it trains its own.
        reference: The unprotected scheme that it is compared with.
        protections: What it lays over the features or the waveform, in this order.
        composes: Whether a recipe may lay further protections over it.
        keyed_only: Whether these must be keyed.
        variants: The same with other transforms or other ways to receive, by name.
        simulates: What its simulated Eve is trained for: ``label``, ``image``.
        layer: Builds the layer on the waveform, frozen link, frozen surrogate Eve and seed given;
            None if it has none.
        transform: Builds the keyed transform of the waveform, trained link and key given; that of
            its protections if None.

    Args:
        recipe: Every setting; its protections are those added to this scheme.

    Example:
        >>> scheme = SCHEMES.get("deepjscc")(Recipe())
        >>> link = scheme.build((1, 8, 8), classes=10)
        >>> scheme.objective(link, SimulatedEve("mlp", 33, 10, (1, 8, 8))).players.keys()
        dict_keys(['eve_image', 'link'])
    """

    name: str
    style: ClassVar[Style | None] = None
    description: ClassVar[str] = ""
    source: ClassVar[str] = "not published"
    protects: ClassVar[str] = "nothing"
    asymmetry: ClassVar[str | None] = None
    guarantee: ClassVar[str] = "none"
    deviations: ClassVar[tuple[str, ...]] = ()
    Config: ClassVar[type[Section] | None] = None
    settings: ClassVar[tuple[type[Section], ...]] = ()
    base: ClassVar[str | None] = None
    reference: ClassVar[str] = "multitask"
    protections: ClassVar[tuple[str, ...]] = ()
    composes: ClassVar[bool] = False
    keyed_only: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Variant]] = {}
    simulates: ClassVar[tuple[str, ...]] = ("label", "image")
    layer: BuildLayer | None = None
    transform: BuildTransform | None = None

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    @property
    def symbols(self) -> int | None:
        """Symbols per image; None where they depend on the image's size."""
        return self.recipe.link.latent_dim // 2

    def latent_dim(self, image_shape: ImageShape) -> int:
        """Return the reals of the latent of an image of a shape."""
        return self.recipe.link.latent_dim

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build its link, untrained; the convolutional multi-task link unless overridden.

        Its Bob reconstructs no image at a ``train.reconstruction_weight`` of 0.

        Args:
            image_shape: Channels, height, width.
            classes: Answers of the task.

        Raises:
            SemveilError: If the settings suit no link.
        """
        sizes = self.recipe.link
        return multitask_link(
            image_shape,
            classes,
            sizes.latent_dim,
            sizes.width,
            sizes.head_width,
            channel_of(self.recipe.bob),
            reconstructs=self.recipe.train.reconstruction_weight > 0,
        )

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> Objective:
        """Return what trains its link.

        Args:
            link: The link, from :meth:`build`.
            eve: Its simulated Eve; None where it simulates nothing.
        """
        raise NotImplementedError(f"{self.name} trains no link of its own")

    def layer_objective(
        self, layer: WaveformLayer, link: LinkNetwork, eve: SimulatedEve
    ) -> Objective:
        """Return what trains a learned layer on the waveform; link and surrogate Eve are frozen."""
        raise NotImplementedError(f"{self.name} has no learned layer")

    def controls(self) -> Mapping[str, BuildLayer]:
        """Return layers of equal cost to compare its layer with, by name."""
        return {}

    def keyed_transform(self) -> BuildTransform | None:
        """Return what builds the keyed transform of its waveform; None if it needs no key."""
        if self.transform is None and any(laid.keyed for laid in protections(self.recipe)):
            return lambda link, key: keyed_transform(self.recipe, key)
        return self.transform

    def sections(self) -> list[type[Section]]:
        """Return the settings that apply to it, its protections' and its base's included."""
        base = SCHEMES.get(self.base)(self.recipe).sections() if self.base else []
        mine = [] if self.Config is None else [self.Config]
        eve = [MinMaxConfig] if self.simulates else []
        laid = [laid.Config for laid in protections(self.recipe) if laid.Config is not None]
        return list(dict.fromkeys([*eve, *base, *mine, *self.settings, *laid]))

    @classmethod
    def statement(cls) -> dict[str, str]:
        """Return its description and its threat model, as lists and tables show them."""
        return {
            "description": cls.description,
            "protects": cls.protects,
            "asymmetry": cls.asymmetry or "none",
            "guarantee": cls.guarantee,
        }


def _check_asymmetry(scheme: type[Scheme]) -> None:
    if scheme.asymmetry not in (None, *ASYMMETRIES):
        raise SemveilError(
            f"scheme '{scheme.name}': unknown asymmetry {scheme.asymmetry!r}; "
            f"state {', '.join(ASYMMETRIES)} or None"
        )


SCHEMES: Registry[Scheme] = Registry(
    "scheme", "semveil.schemes", section=Recipe, check=_check_asymmetry
)
