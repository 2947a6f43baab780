"""What a recipe chooses by name, and which installed packages it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.choice import find
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import chosen as attacks
from semveil.data import DATASETS
from semveil.data.registry import is_folder
from semveil.metrics import METRICS, image_metrics
from semveil.protect import PROTECTIONS
from semveil.recipe import Recipe
from semveil.records import SystemName
from semveil.registry import OURS, Registry, origin
from semveil.schemes import SCHEMES
from semveil.section import Section
from semveil.training import TRAININGS

_Choice = tuple[str, Registry[Any], str]


def _choices(recipe: Recipe) -> Iterator[_Choice]:
    """Yield key, registry and name of what a recipe chooses, but for attacks and their metrics."""
    yield "scheme", SCHEMES, recipe.scheme
    for name in recipe.protections:
        yield "protections", PROTECTIONS, name
    if not is_folder(recipe.data.name):
        yield "data.name", DATASETS, recipe.data.name
    if recipe.harden.method != "none":
        yield "harden.method", TRAININGS, recipe.harden.method
    audit = recipe.audit
    eves = {"inference": audit.inference, "inversion": audit.inversion, "attacks": audit.attacks}
    for key, names in [*eves.items(), ("perceptual", audit.perceptual)]:
        kind = {"attacks": "informed", "perceptual": "inversion"}.get(key, key)
        for name in (each for each in names if each != "standard"):
            yield f"audit.{key}", EAVESDROPPERS, find(kind, name, f"audit.{key}").name
    for name in audit.metrics:
        yield "audit.metrics", METRICS, name


def _attack_choices(recipe: Recipe) -> Iterator[_Choice]:
    for name in (attack.name for attack in attacks(recipe.attack)):
        yield "attack.names", ATTACKS, name
    for name in recipe.attack.metrics:
        yield "attack.metrics", METRICS, name


def check_choices(recipe: Recipe) -> None:
    """Refuse a name that is not registered, or a metric that is none of images.

    Raises:
        SemveilError: With the key that holds the name.
    """
    for key, registry, name in [*_choices(recipe), *_attack_choices(recipe)]:
        registry.get(name, key)
    image_metrics(recipe.audit.metrics, "audit.metrics")
    image_metrics(recipe.attack.metrics, "attack.metrics")


def packages(
    recipe: Recipe, systems: Iterable[SystemName], attacked: bool = False
) -> dict[str, str]:
    """Return the packages whose registered classes a run uses, but for this one.

    Args:
        recipe: Settings of the run.
        systems: What it was asked for.
        attacked: Whether it uses the attacks that the recipe names.

    Returns:
        Versions of distributions by their names.
    """
    used = [*_choices(recipe), *(_attack_choices(recipe) if attacked else ())]
    for system in systems:
        used.append(("scheme", SCHEMES, system.scheme))
        used += [("protections", PROTECTIONS, name) for name in system.protections]
    kinds = {registry.get(name, key) for key, registry, name in used} | set(_sections(recipe))
    return versions(origin(kind) for kind in kinds)


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the versions of distributions that are installed, but for this project's."""
    found = {}
    for name in sorted({*distributions} - {OURS}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a module, script or notebook that no package installed
    return found


def _sections(section: Section) -> Iterator[type[Section]]:
    """Yield the types of the sections in a section, those that plugins added too."""
    yield type(section)
    values = [getattr(section, name) for name in type(section).model_fields]
    for value in [*values, *(section.__pydantic_extra__ or {}).values()]:
        if isinstance(value, Section):
            yield from _sections(value)
