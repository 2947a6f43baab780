"""Which links a run trains and which systems it audits, from the schemes it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.metrics import image_metrics
from semveil.recipe import Recipe
from semveil.schemes.base import BuildLayer, BuildTransform, ReadReception, Scheme, get
from semveil.schemes.parts import check_order, keyed_protections

KEYED = ("shuffle", "rotation")


@dataclass(frozen=True)
class LinkPlan:
    """One link that a run trains.

    Attributes:
        name: Its scheme's name, and what is laid over it: ``ibal+rotation``.
        scheme: What it is trained for.
        recipe: The run's settings, with all its protections.
    """

    name: str
    scheme: Scheme
    recipe: Recipe


@dataclass(frozen=True)
class SystemPlan:
    """One system of a run.

    Attributes:
        name: Its name in the records: its link's, ``scheme/control``, or ``scheme (variant)``.
        scheme: The scheme it belongs to.
        link: The trained link it uses.
        layer: Builds the layer on the waveform; None if there is none.
        cover: Builds the keyed transform of the waveform; None if there is none.
        fixed_key: Whether one key serves all messages.
        receive: How Bob answers a reception; as the link does if None.
    """

    name: str
    scheme: Scheme
    link: LinkPlan
    layer: BuildLayer | None = None
    cover: BuildTransform | None = None
    fixed_key: bool = False
    receive: ReadReception | None = None

    @property
    def is_control(self) -> bool:
        """Whether it is there to be compared with, and protects nothing."""
        return "/" in self.name

    @property
    def asymmetry(self) -> str | None:
        """What protects it; None if nothing does."""
        if self.cover is not None:
            return "key"
        unprotected = self.is_control or "(plain" in self.name
        return None if unprotected else self.scheme.asymmetry


def requested(recipe: Recipe) -> str:
    """Return the name of what a recipe asks for: its scheme and the protections over it.

    Example:
        >>> requested(recipes.update(Recipe(), {"scheme": "ibal", "protections": ["rotation"]}))
        'ibal+rotation'
    """
    return "+".join([recipe.scheme, *recipe.protections])


def _split(name: str) -> tuple[Scheme, list[str]]:
    first, *extra = name.split("+")
    scheme = get(first)
    if extra and not scheme.composes:
        raise SemveilError(
            f"protections: none can be laid over {first}; those that compose are "
            "deepjscc, dp, rotation, vfe, ibal, lbvq and uis"
        )
    return scheme, extra


def with_reference(name: str) -> list[str]:
    """Return the schemes that a run of one scheme measures: the reference and its base first.

    An adversary that fails is believed only beside a link on which she succeeds.

    Args:
        name: A scheme's name, with protections laid over it behind plus signs.

    Example:
        >>> with_reference("minmax-cooperative")
        ['multitask', 'minmax', 'minmax-cooperative']
        >>> with_reference("ibal+rotation")
        ['deepjscc', 'ibal+rotation']
    """
    scheme, _ = _split(name)
    base = [scheme.base] if scheme.base else []
    return list(dict.fromkeys([scheme.reference, *base, name]))


def _link(name: str, recipe: Recipe) -> LinkPlan:
    scheme, extra = _split(name)
    protections = [*scheme.protections, *extra]
    if protections:
        check_order(protections, recipe)
    return LinkPlan(name, scheme, recipes.update(recipe, {"protections": protections}))


def plan(names: Iterable[str], recipe: Recipe) -> list[SystemPlan]:
    """Return the systems to audit, each scheme followed by its controls and variants.

    The control that spends the power on the signal is left out where the total power is one:
    there it is the base's own waveform, which is measured as the base.

    Args:
        names: Schemes, each with the protections laid over it behind plus signs.
        recipe: The run's settings; its own list of protections is not looked at.

    Raises:
        SemveilError: If a scheme or metric is unknown, or protections do not go together.

    Example:
        >>> [system.name for system in plan(["multitask", "cooperative"], Recipe())]
        ['multitask', 'cooperative', 'cooperative/noise']
        >>> [system.name for system in plan(["deepjscc", "shuffle"], Recipe())]
        ['deepjscc', 'shuffle', 'shuffle (fixed key)']
    """
    image_metrics([*recipe.audit.metrics, *recipe.attack.metrics])
    systems: list[SystemPlan] = []
    for name in names:
        systems += _systems(name, recipe)
    method = recipe.harden.method
    if method == "none":
        return systems
    return [replace(system, name=noted(system.name, method)) for system in systems]


def noted(name: str, note: str) -> str:
    """Put a note behind a system's name, in the parentheses that it may already have.

    Example:
        >>> noted("mobilesc", "semmixed"), noted("mobilesc (latent)", "semmixed")
        ('mobilesc (semmixed)', 'mobilesc (latent, semmixed)')
    """
    return f"{name[:-1]}, {note})" if name.endswith(")") else f"{name} ({note})"


def _systems(name: str, recipe: Recipe) -> Iterator[SystemPlan]:
    scheme, _ = _split(name)
    link = _link(scheme.base or name, recipe)
    cover: BuildTransform | None = scheme.cover
    if cover is None and any(laid in KEYED for laid in link.recipe.protections):
        cover = keyed_protections
    yield SystemPlan(name, scheme, link, scheme.layer, cover)
    for control, layer in scheme.controls.items():
        if control == "signal" and recipe.perturbation.total_power == 1.0:
            continue
        yield SystemPlan(f"{name}/{control}", scheme, link, layer)
    if name != scheme.name or not recipe.audit.variants:
        return
    for variant, other in scheme.variants.items():
        used = _link(other.base, recipe) if other.base else link
        yield SystemPlan(
            f"{name} ({variant})",
            scheme,
            used,
            None,
            other.cover,
            other.fixed_key,
            other.receive,
        )


def links(systems: Iterable[SystemPlan]) -> list[LinkPlan]:
    """Return the links to train, each once.

    Example:
        >>> [link.name for link in links(plan(["multitask", "cooperative", "minmax"], Recipe()))]
        ['multitask', 'minmax']
    """
    found: dict[str, LinkPlan] = {}
    for system in systems:
        found.setdefault(system.link.name, system.link)
    return list(found.values())
