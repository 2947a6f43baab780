"""Which links a run trains and which systems it audits, from the schemes it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from semveil import recipe as recipes
from semveil.adversary.eavesdrop.choice import chosen as eavesdroppers
from semveil.errors import SemveilError
from semveil.experiment.choices import check_choices
from semveil.protect import PROTECTIONS, check_order, check_symbols, protections
from semveil.recipe import Recipe
from semveil.records import Asked, SystemName, asked_for, named
from semveil.schemes.base import SCHEMES, BuildLayer, BuildTransform, ReadReception, Scheme


@dataclass(frozen=True)
class LinkPlan:
    """One link that a run trains, under the run's settings with all its protections."""

    name: SystemName
    scheme: Scheme

    @property
    def recipe(self) -> Recipe:
        """The run's settings, with all its protections."""
        return self.scheme.recipe

    @property
    def stream(self) -> str:
        """Its name among the run's networks and checkpoints, and in random streams."""
        return stream_of(self.name)


@dataclass(frozen=True)
class SystemPlan:
    """One system of a run; what is None is not there, or done as the link does it."""

    name: SystemName
    scheme: Scheme
    link: LinkPlan
    layer: BuildLayer | None = None
    transform: BuildTransform | None = None
    fixed_key: bool = False
    receive: ReadReception | None = None
    guarantee: str = "none"

    @property
    def stream(self) -> str:
        """Its name among the run's networks and checkpoints, and in random streams."""
        return stream_of(self.name)

    @property
    def is_control(self) -> bool:
        """Whether it is there to be compared with, and protects nothing."""
        return self.name.control is not None

    @property
    def asymmetry(self) -> str | None:
        """What protects it; None if nothing does."""
        if self.transform is not None:
            return "key"
        # Without the keyed transform that its scheme rests on, it is sent in the clear.
        unprotected = self.is_control or self.scheme.keyed_transform() is not None
        return None if unprotected else self.scheme.asymmetry

    @property
    def protects(self) -> str:
        """What its scheme, the protections over it and its training are meant to protect."""
        if self.is_control:
            return "nothing"
        added = [PROTECTIONS.get(each).protects for each in self.name.protections]
        if self.name.training:
            added.append(f"Bob, from perturbations, by adversarial training ({self.name.training})")
        return _stated([self.scheme.protects, *added], "nothing")


def _stated(texts: Iterable[str], nothing: str) -> str:
    """Join statements; those that say that there is nothing count only where all do."""
    said = list(dict.fromkeys(texts))
    return "; ".join([text for text in said if not text.startswith(nothing)] or said[:1])


def stream_of(name: SystemName) -> str:
    """Return what seeds a system's random streams."""
    # The form that names had before records had these fields: another would draw other keys.
    text = "+".join([name.scheme, *name.protections])
    if name.control:
        text += f"/{name.control}"
    variant = name.variant and name.variant.replace("-", " ")
    notes = ", ".join(filter(None, [variant, name.training]))
    return f"{text} ({notes})" if notes else text


def requested(recipe: Recipe) -> SystemName:
    """Return what a recipe asks for: its scheme and the protections over it."""
    return asked_for(recipe.scheme, *recipe.protections)


def _scheme(name: SystemName, recipe: Recipe) -> Scheme:
    """Return a scheme under the settings of a run, with the protections that the name lists."""
    scheme = SCHEMES.get(name.scheme, "scheme")
    if name.protections and not scheme.composes:
        composing = sorted(other for other, kind in SCHEMES.items() if kind.composes)
        raise SemveilError(
            f"protections: none can be added to {scheme.name}; those that compose are "
            f"{', '.join(composing)}"
        )
    laid = [*scheme.protections, *name.protections]
    check_order(laid, recipe)
    chosen = scheme(recipes.update(recipe, {"protections": laid}))
    for protection in protections(chosen.recipe):
        if scheme.keyed_only and not protection.keyed:
            raise SemveilError(
                f"protections: {protection.name} cannot be added to {scheme.name}, which takes "
                "keyed ones alone"
            )
    if chosen.symbols is not None:
        check_symbols(chosen.recipe, chosen.symbols)
    return chosen


def with_reference(asked: Asked) -> list[SystemName]:
    """Return the schemes that a run of one scheme measures: the reference and its base first.

    An adversary that fails is believed only beside a link on which she succeeds.
    """
    name = named(asked)
    scheme = SCHEMES.get(name.scheme, "scheme")
    before = [scheme.reference, *([scheme.base] if scheme.base else [])]
    return list(dict.fromkeys([*map(asked_for, before), name]))


def _link(name: SystemName, recipe: Recipe) -> LinkPlan:
    return LinkPlan(name, _scheme(name, recipe))


def complete(asked: Iterable[Asked], recipe: Recipe) -> Recipe:
    """Return a recipe with the settings of its schemes and eavesdroppers written out.

    Whatever it names must be registered.
    """
    check_choices(recipe)
    sections = [section for each in asked for section in _scheme(named(each), recipe).sections()]
    sections += [eve.Config for eve in eavesdroppers(recipe.audit) if eve.Config.model_fields]
    return recipes.complete(recipe, dict.fromkeys(sections))


def plan(asked: Iterable[Asked], recipe: Recipe) -> list[SystemPlan]:
    """Return the systems to audit, each scheme followed by its controls and variants."""
    systems = [system for each in asked for system in _systems(named(each), recipe)]
    method = recipe.harden.method
    if method == "none":
        return systems
    return [replace(each, name=replace(each.name, training=method)) for each in systems]


def _systems(name: SystemName, recipe: Recipe) -> Iterator[SystemPlan]:
    scheme = _scheme(name, recipe)
    link = _link(asked_for(scheme.base), recipe) if scheme.base else LinkPlan(name, scheme)
    added = [PROTECTIONS.get(each) for each in name.protections]
    yield SystemPlan(
        name,
        scheme,
        link,
        scheme.layer,
        scheme.keyed_transform(),
        guarantee=_stated([scheme.guarantee, *(each.guarantee for each in added)], "none"),
    )
    for control, layer in scheme.controls().items():
        yield SystemPlan(replace(name, control=control), scheme, link, layer)
    if name.protections or not recipe.audit.variants:
        return
    for variant, other in scheme.variants.items():
        used = _link(asked_for(other.base), recipe) if other.base else link
        yield SystemPlan(
            replace(name, variant=variant),
            scheme,
            used,
            None,
            other.transform,
            other.fixed_key,
            other.receive,
            other.guarantee,
        )


def links(systems: Iterable[SystemPlan]) -> list[LinkPlan]:
    """Return the links to train, each once."""
    found: dict[SystemName, LinkPlan] = {}
    for system in systems:
        found.setdefault(system.link.name, system.link)
    return list(found.values())
