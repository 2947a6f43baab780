"""Protections of a link's features or of its waveform, and their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from semveil.errors import SemveilError
from semveil.protect.keyed_transform import ComposedTransform, KeyedTransform
from semveil.protect.keys import KEY_BYTES
from semveil.recipe import Recipe, Section
from semveil.registry import Registry
from semveil.rng import Randomness


class Protection:
    """A protection that a recipe names; Alice applies them in the recipe's order.

    Attributes:
        name: Name in recipes.
        description: One line about it.
        source: Where it was published.
        protects: What it is meant to protect, and from whom.
        guarantee: What is proved of it, and on what conditions; ``none`` where nothing is.
        Config: Its settings; None if it has none.
        keyed: Whether Bob reverses it with a key.
        keeps_norms: Whether every two symbols have the same energy before and after it.
        needs_norms: Whether it hides an image only where every two symbols have the same energy.
        last: Whether Alice may apply nothing after it.
    """

    name: str
    description: ClassVar[str] = ""
    source: ClassVar[str] = "not published"
    protects: ClassVar[str] = "nothing"
    guarantee: ClassVar[str] = "none"
    Config: ClassVar[type[Section] | None] = None
    keyed: ClassVar[bool] = False
    keeps_norms: ClassVar[bool] = False
    needs_norms: ClassVar[bool] = False
    last: ClassVar[bool] = False

    @classmethod
    def check(cls, recipe: Recipe, before: Sequence[type[Protection]]) -> None:
        """Refuse a link or earlier protections that void its guarantee.

        Args:
            recipe: The settings.
            before: Protections that Alice applies before it.

        Raises:
            SemveilError: If they void it; the message says why.
        """
        if cls.needs_norms:
            for other in before:
                if other.keyed and not other.keeps_norms:
                    raise SemveilError(
                        f"protections: {other.name} before {cls.name} mixes the blocks of symbols, "
                        f"whose norms then tell of the image; put {cls.name} first"
                    )

    @classmethod
    def fits(cls, recipe: Recipe, symbols: int) -> None:
        """Refuse a number of symbols per image that it cannot take.

        Raises:
            SemveilError: If it cannot.
        """


PROTECTIONS: Registry[Protection] = Registry("protection", "semveil.protect", section=Recipe)


class Mechanism(Protection, nn.Module):
    """Noise on the features, before they become a waveform.

    Attributes:
        fixed_gain: Whether the waveform is a constant times the noisy features, so that its power
            is one on average only.
    """

    fixed_gain: bool = False

    @classmethod
    def check(cls, recipe: Recipe, before: Sequence[type[Protection]]) -> None:
        """Refuse earlier protections."""
        if before:
            raise SemveilError(
                f"protections: {cls.name} must come before {before[0].name}: it is stated for the "
                "encoder's features, not for keyed ones"
            )

    @classmethod
    def of(cls, recipe: Recipe, dim: int) -> Self:
        """Return the noise on ``dim`` features with the settings of a recipe."""
        raise NotImplementedError

    @property
    def noise_share(self) -> float:
        """Share of the waveform's mean power that is noise."""
        raise NotImplementedError

    def bound(self, features: Tensor) -> Tensor:
        """Return the bounded features to which the noise is added, ``[B, d]``."""
        raise NotImplementedError

    def forward(self, features: Tensor, source: Randomness = None) -> Tensor:
        """Return noisy features, ``[B, d]``."""
        raise NotImplementedError

    def to_waveform(self, noisy: Tensor) -> Tensor:
        """Return the waveform of noisy features, complex ``[B, d/2]``."""
        raise NotImplementedError


class KeyedProtection(Protection, KeyedTransform):
    """A keyed transform of the waveform that a recipe can name."""

    keyed = True

    @classmethod
    def of(cls, recipe: Recipe, key: bytes) -> Self:
        """Return the transform under a key of 32 bytes, with the settings of a recipe.

        The class is called with the key, and with its settings if it has a ``Config``.
        """
        build: Any = cls
        return build(key) if cls.Config is None else build(key, recipe.of(cls.Config))


def check_order(names: Sequence[str], recipe: Recipe) -> None:
    """Refuse protections whose order, or whose link, voids a guarantee.

    Raises:
        SemveilError: If a guarantee is void; the message says which and why.

    Example:
        >>> check_order(["laplace", "rotation"], Recipe())
    """
    if len(set(names)) < len(names):
        raise SemveilError(f"protections: {', '.join(names)} names one of them twice")
    laid = [PROTECTIONS.get(name, "protections") for name in names]
    for place, protection in enumerate(laid):
        if place and laid[place - 1].last:
            raise SemveilError(
                f"protections: {laid[place - 1].name} must come last: it tests what Bob's antenna "
                "receives"
            )
        protection.check(recipe, laid[:place])


def protections(recipe: Recipe) -> list[type[Protection]]:
    """Return the classes of the protections that a recipe lists.

    Raises:
        SemveilError: If one is unknown.
    """
    return [PROTECTIONS.get(name) for name in recipe.protections]


def check_symbols(recipe: Recipe, symbols: int) -> None:
    """Refuse a number of symbols per image that a protection of a recipe cannot take.

    Raises:
        SemveilError: If one cannot.
    """
    for protection in protections(recipe):
        protection.fits(recipe, symbols)


def mechanism(recipe: Recipe, dim: int) -> Mechanism | None:
    """Return the noise that a recipe lays over ``dim`` features; None if there is none."""
    for protection in protections(recipe):
        if issubclass(protection, Mechanism):
            return protection.of(recipe, dim)
    return None


def added_symbols(recipe: Recipe) -> int:
    """Return the symbols per message that a recipe's protections add to the waveform."""
    keyed = [each for each in protections(recipe) if issubclass(each, KeyedProtection)]
    return sum(each.of(recipe, bytes(KEY_BYTES)).added_symbols for each in keyed)


def keyed_transform(recipe: Recipe, key: bytes) -> KeyedTransform:
    """Return the keyed protections that a recipe lists, at least one, as one transform."""
    laid: list[KeyedTransform] = [
        protection.of(recipe, key)
        for protection in protections(recipe)
        if issubclass(protection, KeyedProtection)
    ]
    return laid[0] if len(laid) == 1 else ComposedTransform(laid)
