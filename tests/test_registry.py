"""Registries, and the settings that registered classes add to a recipe."""

from __future__ import annotations

from typing import ClassVar

import pytest

from semveil.errors import SemveilError
from semveil.recipe import OpenSection, Section, changes
from semveil.registry import Registry


class Whole(OpenSection):
    registries: ClassVar[tuple[str, ...]] = (f"{__name__}:COLOURS",)
    fixed: int = 1


class Inner(OpenSection):
    section: ClassVar[str] = "inner"
    registries: ClassVar[tuple[str, ...]] = (f"{__name__}:SHADES",)


COLOURS: Registry[object] = Registry("colour", section=Whole)
SHADES: Registry[object] = Registry("shade", section=Inner)


@COLOURS.register
class Red:
    name = "red"

    class Config(Section):
        depth: float = 0.5
        on: bool = False


@COLOURS.register
class Crimson(Red):
    name = "crimson"


@SHADES.register
class Dark:
    name = "dark"

    class Config(Section):
        depth: float = 2.0


def test_settings_are_read_with_their_type_and_have_defaults():
    whole = Whole.model_validate({"red": {"depth": 1}})
    assert whole.of(Red.Config).depth == 1.0
    assert whole.of(Crimson.Config).depth == 0.5
    assert Inner.model_validate({"dark": {"depth": 3}}).of(Dark.Config).depth == 3.0
    assert Dark.Config.section == "inner.dark"


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"red": {"depth": "deep"}}, "red.depth: "),
        ({"red": {"depth": True}}, "red.depth: must not be true or false"),
        ({"red": {"depth": float("inf")}}, "red.depth: "),
        ({"red": {"dept": 1}}, "unknown key 'red.dept'"),
        ({"red": 3}, "red: "),
        ({"blue": {}}, "unknown key 'blue'"),
        ({"crimsn": {"depth": 1}}, "unknown key 'crimsn': did you mean 'crimson'"),
    ],
)
def test_a_wrong_setting_is_told_with_its_full_key(plain, said):
    with pytest.raises(SemveilError, match="^" + said):
        Whole.model_validate(plain)


def test_written_defaults_change_nothing():
    written = Whole.model_validate({"red": {"depth": 0.5}, "crimson": {}})
    assert changes(written) == changes(Whole()) == {}


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("odd", int, "'odd': Config .* subclass of semveil.recipe.Section"),
        ("fixed", type("Config", (Section,), {"__module__": "elsewhere"}), "key fixed .* taken"),
        ("red", None, "'red' is registered twice, by .* and by elsewhere"),
        ("", None, "has no name"),
    ],
)
def test_what_cannot_be_registered_is_refused_and_leaves_the_rest(name, config, said):
    registry: Registry[object] = Registry("colour", section=Whole)
    registry.register(Red)
    odd = type("Odd", (), {"name": name, "__module__": "elsewhere.module"})
    if config is not None:
        odd.Config = config
    with pytest.raises(SemveilError, match=said):
        registry.register(odd)
    if name:
        with pytest.raises(SemveilError, match=said):
            registry.get(name)
    assert registry.names() == ([] if name == "red" else ["red"])


def test_a_class_defined_again_replaces_the_earlier():
    def define():
        @COLOURS.register
        class Green:
            name = "green"

            class Config(Section):
                depth: float = 0.1

        return Green

    before = Whole.model_validate({"green": {"depth": 0.2}}) if define() else None
    after = define()
    assert COLOURS.get("green") is after
    assert before.of(after.Config).depth == 0.2
