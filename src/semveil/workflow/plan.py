"""Which links a run trains and which systems it audits, from the schemes it was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from semveil.recipe import Recipe
from semveil.schemes.base import BuildLayer, Scheme, get

REFERENCE = "multitask"


@dataclass(frozen=True)
class Planned:
    """One system of a run.

    Attributes:
        name: Its name in the records: the scheme's, or ``scheme/control``.
        scheme: The scheme it belongs to.
        link: The scheme whose trained link it uses.
        layer: Builds the layer on the waveform; None if there is none.
    """

    name: str
    scheme: Scheme
    link: str
    layer: BuildLayer | None

    @property
    def is_control(self) -> bool:
        """Whether it is there to be compared with, and protects nothing."""
        return "/" in self.name


def with_reference(name: str) -> list[str]:
    """Return the schemes that a run of one scheme measures: the reference and its base first.

    An adversary that fails is believed only beside a link on which she succeeds.

    Example:
        >>> with_reference("minmax-cooperative")
        ['multitask', 'minmax', 'minmax-cooperative']
    """
    base = get(name).base
    return list(dict.fromkeys([REFERENCE, *([base] if base else []), name]))


def plan(names: Iterable[str], recipe: Recipe) -> list[Planned]:
    """Return the systems to audit, each scheme followed by its controls.

    The control that spends the power on the signal is left out where the total power is one:
    there it is the base's own waveform, which is measured as the base.

    Args:
        names: Schemes.
        recipe: The run's settings.

    Example:
        >>> [system.name for system in plan(["multitask", "cooperative"], Recipe())]
        ['multitask', 'cooperative', 'cooperative/noise']
    """
    systems = []
    for scheme in map(get, names):
        link = scheme.base or scheme.name
        systems.append(Planned(scheme.name, scheme, link, scheme.layer))
        for control, layer in scheme.controls.items():
            if control == "signal" and recipe.perturbation.total_power == 1.0:
                continue
            systems.append(Planned(f"{scheme.name}/{control}", scheme, link, layer))
    return systems


def links(systems: Iterable[Planned]) -> list[str]:
    """Return the link schemes to train, each once.

    Example:
        >>> links(plan(["multitask", "cooperative", "minmax"], Recipe()))
        ['multitask', 'minmax']
    """
    return list(dict.fromkeys(system.link for system in systems))
