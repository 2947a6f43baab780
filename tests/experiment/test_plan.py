"""What a run measures: references first, each link trained once, protections by name."""

from __future__ import annotations

import json

import pytest

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.plan import complete, links, plan, requested, with_reference
from semveil.experiment.training import identity
from semveil.recipe import Recipe
from semveil.records import asked_for, from_plain, named, to_plain
from semveil.schemes import SCHEMES


def asked(scheme, *protections, **changes):
    recipe = recipes.update(
        Recipe(), {"scheme": scheme, "protections": list(protections), **changes}
    )
    return recipe, with_reference(requested(recipe))


@pytest.mark.parametrize("scheme", SCHEMES.names())
def test_the_reference_comes_first_and_every_name_is_there_once(scheme):
    recipe, names = asked(scheme)
    assert names[0].scheme == SCHEMES.get(scheme).reference
    assert names[-1].scheme == scheme
    systems = [system.name for system in plan(names, recipe)]
    assert len(set(systems)) == len(systems)
    trained = [link.name for link in links(plan(names, recipe))]
    assert len(set(trained)) == len(trained)
    assert set(trained) <= set(names)


def test_a_cover_over_another_link_trains_nothing_of_its_own():
    recipe, names = asked("shuffle")
    systems = plan(names, recipe)
    assert [link.name.label for link in links(systems)] == ["deepjscc"]
    assert [(system.name.label, system.fixed_key) for system in systems] == [
        ("deepjscc", False),
        ("shuffle", False),
        ("shuffle (fixed-key)", True),
    ]
    assert [system.asymmetry for system in systems] == [None, "key", "key"]


def test_variants_of_the_rotation_lie_over_the_reference_but_for_the_blocks():
    recipe, names = asked("rotation")
    used = {system.name.label: system.link.name.label for system in plan(names, recipe)}
    assert used == {
        "deepjscc": "deepjscc",
        "rotation": "rotation",
        "rotation (haar)": "deepjscc",
        "rotation (structured)": "deepjscc",
    }


def test_protections_are_the_links_own_and_leave_the_reference_alone():
    recipe, names = asked("dp", "shuffle")
    by_name = {link.name.label: link.recipe.protections for link in links(plan(names, recipe))}
    assert by_name == {"deepjscc": [], "dp+shuffle": ["laplace", "shuffle"]}
    laid = plan(names, recipe)[-1]
    assert (laid.name.label, laid.asymmetry) == ("dp+shuffle", "key")
    assert laid.transform is not None


def test_what_protects_a_link_and_what_is_proved_of_it_includes_what_is_laid_over_it():
    recipe, names = asked("deepjscc", "rotation")
    reference, laid = plan(names, recipe)
    assert (reference.protects, reference.guarantee) == ("nothing: the reference", "none")
    assert "receivers without the key" in laid.protects
    assert laid.guarantee.startswith("the waveform is independent of the image")
    both = plan(*reversed(asked("dp", "rotation")))[-1]
    assert both.protects.count(";") == 1
    assert "local differential privacy" in both.guarantee
    assert "independent of the image" in both.guarantee


def test_a_variant_has_a_guarantee_of_its_own_and_a_control_has_none():
    found = {each.name.label: each.guarantee for each in plan(*reversed(asked("rotation")))}
    assert found["rotation (haar)"] == "as the blocks', for the whole latent"
    assert found["rotation (structured)"] == "none"
    recipe, names = asked("cooperative")
    controls = [system for system in plan(names, recipe) if system.is_control]
    assert controls
    assert {(each.protects, each.guarantee) for each in controls} == {("nothing", "none")}


def test_noise_alone_is_no_key():
    recipe, names = asked("uis", "laplace")
    laid = plan(names, recipe)[-1]
    assert (laid.name.label, laid.asymmetry, laid.transform) == ("uis+laplace", "task", None)


def test_the_plain_cipher_is_protected_by_nothing():
    recipe, names = asked("cipher")
    found = {system.name.label: system.asymmetry for system in plan(names, recipe)}
    assert found == {"deepjscc": None, "cipher": "key", "cipher (plain)": None}


@pytest.mark.parametrize(
    ("scheme", "protections", "reason"),
    [
        ("multitask", ["laplace"], "laplace cannot be added to multitask"),
        ("shuffle", ["rotation"], "none can be added to shuffle"),
        ("cipher", ["shuffle"], "none can be added to cipher"),
        ("deepjscc", ["shuffle", "rotation"], "put rotation first"),
        ("rotation", ["laplace"], "laplace must come before rotation"),
        ("dp", ["laplace"], "twice"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_built(scheme, protections, reason):
    recipe = recipes.update(Recipe(), {"scheme": scheme, "protections": protections})
    with pytest.raises(SemveilError, match=reason):
        plan(with_reference(requested(recipe)), recipe)


def test_a_hardened_run_notes_its_training_everywhere():
    recipe, names = asked("mobilesc", harden={"method": "semmixed"})
    assert [system.name.label for system in plan(names, recipe)] == [
        "mobilesc (semmixed)",
        "mobilesc (latent, semmixed)",
    ]
    (told,) = {system.protects for system in plan(names, recipe)}
    assert told == "Bob, from perturbations, by adversarial training (semmixed)"


def test_random_streams_keep_the_names_that_they_had():
    recipe, names = asked("shuffle")
    assert [system.stream for system in plan(names, recipe)][1:] == [
        "shuffle",
        "shuffle (fixed key)",
    ]
    recipe, names = asked("mobilesc", harden={"method": "semmixed"})
    assert plan(names, recipe)[-1].stream == "mobilesc (latent, semmixed)"
    recipe, names = asked("cooperative", harden={"method": "noise"})
    assert plan(names, recipe)[-1].stream == "cooperative/noise (noise)"


@pytest.mark.parametrize("asked_for_", ["ibal", asked_for("ibal", "rotation", "shuffle")])
def test_what_is_asked_for_is_kept_as_data(asked_for_):
    assert from_plain(json.loads(json.dumps(to_plain(asked_for_)))) == named(asked_for_)


@pytest.mark.parametrize("plain", ["ibal+rotation", {"scheme": "ibal"}, 3, None])
def test_what_names_no_system_is_refused(plain):
    with pytest.raises(SemveilError):
        from_plain(plain)


def test_settings_of_all_schemes_are_written_out_and_tell_no_trainings_apart():
    recipe, names = asked("ibal", "laplace")
    whole = complete(names, recipe)
    sections = whole.model_dump().keys() - recipe.model_dump().keys()
    assert sections == {"privacy", "bottleneck", "inverter", "dp"}
    assert identity(whole, 0) == identity(recipe, 0)
    other = recipes.update(recipe, {"inverter": {"weight": 2.0}})
    assert identity(complete(names, other), 0) == identity(other, 0) != identity(recipe, 0)
