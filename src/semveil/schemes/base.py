"""What a scheme states about itself, and how schemes are found: one file each."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from torch import nn

import semveil.schemes
from semveil.channel import Reception, channel_of
from semveil.errors import unknown
from semveil.link import Answer, LinkNetwork, multitask_link
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.protect.keyed_transform import KeyedTransform
from semveil.recipe import Recipe
from semveil.training.objective import Objective

BuildLink = Callable[[Recipe, ImageShape, int], LinkNetwork]
BuildObjective = Callable[[Recipe, LinkNetwork, SimulatedEve | None], Objective]
"""Recipe, link, its simulated Eve (None where the scheme simulates nothing) → what trains it."""
BuildTransform = Callable[[Recipe, LinkNetwork, bytes], KeyedTransform]
"""Recipe, trained link, session key → keyed transform of the waveform."""
ReadReception = Callable[[LinkNetwork, Reception], Answer]
"""Trained link, what Bob's antenna heard → his answer."""
BuildLayer = Callable[[Recipe, LinkNetwork, SimulatedEve, int], nn.Module]
"""Recipe, frozen link, frozen surrogate Eve, seed → waveform layer ``(waveform, source)``."""


def build_multitask_link(recipe: Recipe, image_shape: ImageShape, classes: int) -> LinkNetwork:
    """Build the convolutional multi-task link of a recipe."""
    return multitask_link(
        image_shape,
        classes,
        recipe.link.latent_dim,
        recipe.link.width,
        recipe.link.head_width,
        channel_of(recipe.bob),
    )


@dataclass(frozen=True)
class Variant:
    """The same scheme with another cover or another way to receive, measured beside it.

    Attributes:
        cover: Its cover; None sends in the clear.
        base: Scheme whose trained link it uses; the scheme's own link if None.
        fixed_key: Whether one key serves all messages.
        guarantee: What it guarantees.
        receive: How Bob answers a reception; as the link does if None.
    """

    cover: BuildTransform | None
    base: str | None = None
    fixed_key: bool = False
    guarantee: str = "none"
    receive: ReadReception | None = None


@dataclass(frozen=True)
class Scheme:
    """One published system, in its paper's terms.

    A scheme either trains a link of its own (``objective``), or puts a layer or a cover on the
    waveform of another's (``base``).

    Attributes:
        name: Its name on the command line and in records.
        title: One line about it.
        source: Where it was published.
        protects: Against what it is meant to protect.
        asymmetry: What the protection rests on: task, channel, key or knowledge; None if there
            is none.
        deviations: Where this implementation chose or differs, one sentence each.
        objective: What trains its link.
        build: Builds its link.
        base: Scheme whose trained link it uses.
        layer: Builds the layer on the waveform.
        controls: Layers of equal cost to compare with, by name.
        guarantee: What is proved of it, and on what conditions; ``none`` where nothing is.
        reference: The unprotected scheme that it is compared with.
        protections: What it lays over the features or the waveform, in this order.
        composes: Whether a recipe may lay further protections over it.
        cover: Keyed transform of its waveform; that of its protections if None.
        variants: The same with other covers, by name.
        simulates: What its simulated Eve is trained for: ``label``, ``image``.
    """

    name: str
    title: str
    source: str
    protects: str
    asymmetry: str | None
    deviations: tuple[str, ...] = ()
    objective: BuildObjective | None = None
    build: BuildLink = build_multitask_link
    base: str | None = None
    layer: BuildLayer | None = None
    controls: Mapping[str, BuildLayer] = field(default_factory=dict)
    guarantee: str = "none"
    reference: str = "multitask"
    protections: tuple[str, ...] = ()
    composes: bool = False
    cover: BuildTransform | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)
    simulates: tuple[str, ...] = ("label", "image")

    def __post_init__(self) -> None:
        if (self.objective is None) == (self.base is None):
            raise ValueError(f"scheme {self.name}: give either an objective or a base")
        if self.base is None and self.layer is not None:
            raise ValueError(f"scheme {self.name}: a layer needs a base")
        if self.base is not None and self.layer is None and self.cover is None:
            raise ValueError(f"scheme {self.name}: a base goes with a layer or a cover")

    def statement(self) -> dict[str, str]:
        """Return its title and its threat model, as lists and tables show them.

        Example:
            >>> list(get("multitask").statement())
            ['title', 'protects', 'asymmetry', 'guarantee']
            >>> get("lbvq").statement()["guarantee"]
            'none'
        """
        return {
            "title": self.title,
            "protects": self.protects,
            "asymmetry": self.asymmetry or "none",
            "guarantee": self.guarantee,
        }


def names() -> list[str]:
    """Return the schemes there are, from the files beside this one.

    Example:
        >>> names()[:4]
        ['cipher', 'classical', 'cooperative', 'deepjscc']
    """
    modules = (module.name for module in pkgutil.iter_modules(semveil.schemes.__path__))
    return sorted(name.replace("_", "-") for name in modules if name not in ("base", "parts"))


def get(name: str) -> Scheme:
    """Return a scheme by name.

    Raises:
        SemveilError: If there is none, with the nearest name.

    Example:
        >>> get("cooperative").base
        'multitask'
    """
    if name not in names():
        raise unknown("scheme", name, names())
    scheme = import_module(f"semveil.schemes.{name.replace('-', '_')}").SCHEME
    assert isinstance(scheme, Scheme)
    return scheme
