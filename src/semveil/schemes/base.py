"""What a scheme states about itself, and how schemes are found: one file each."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from torch import nn

import semveil.schemes
from semveil.channel import channel_of
from semveil.errors import unknown
from semveil.link import Link, multitask_link
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.recipe import Recipe
from semveil.train.objective import Objective

BuildLink = Callable[[Recipe, ImageShape, int], Link]
BuildObjective = Callable[[Recipe, Link, SimulatedEve], Objective]
BuildLayer = Callable[[Recipe, Link, SimulatedEve, int], nn.Module]
"""Recipe, frozen link, frozen surrogate Eve, seed → waveform layer ``(waveform, source)``."""


def build_multitask_link(recipe: Recipe, image_shape: ImageShape, classes: int) -> Link:
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
class Scheme:
    """One published system, in its paper's terms.

    A scheme either trains a link of its own (``objective``), or puts a layer on the waveform of
    another's (``base`` and ``layer``).

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
        controls: Layers of equal cost to compare with, by the name after the slash.
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

    def __post_init__(self) -> None:
        if (self.objective is None) == (self.base is None):
            raise ValueError(f"scheme {self.name}: give either an objective or a base")
        if (self.base is None) != (self.layer is None):
            raise ValueError(f"scheme {self.name}: a base and a layer go together")


def names() -> list[str]:
    """Return the schemes there are, from the files beside this one.

    Example:
        >>> names()
        ['cooperative', 'minmax', 'minmax-cooperative', 'multitask']
    """
    modules = (module.name for module in pkgutil.iter_modules(semveil.schemes.__path__))
    return sorted(name.replace("_", "-") for name in modules if name != "base")


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
