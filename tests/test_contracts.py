"""What holds of everything that is registered, the project's or a guest's."""

from __future__ import annotations

import pytest
import torch

from semveil import data
from semveil import recipe as recipes
from semveil.adversary.perturb import ATTACKS
from semveil.data import DATASETS
from semveil.errors import SemveilError
from semveil.experiment.plan import plan, with_reference
from semveil.experiment.training import TrainedNetworks, build_objective
from semveil.metrics import METRICS
from semveil.phy import average_power
from semveil.protect import PROTECTIONS, KeyedProtection, Mechanism, check_order
from semveil.protect.keys import research_key
from semveil.recipe import Recipe, Section
from semveil.rng import generator, normal
from semveil.schemes import SCHEMES

REGISTRIES = (SCHEMES, PROTECTIONS, DATASETS, ATTACKS, METRICS)
EVERYTHING = [(registry, name) for registry in REGISTRIES for name in registry.names()]
SHAPE = (1, 8, 8)
DIM = 128
# Small enough for every scheme at 8×8 pixels, large enough for the frames of those over OFDM.
SMALL = {
    "link": {"latent_dim": DIM, "width": 4, "head_width": 8},
    "semantic": {"blocks": 1, "classifier_width": 4, "classifier_blocks": 1},
}
LARGER = {"classical": {"latent_dim": 768}}


def named(value):
    """Return what a test is called by: the same in every process."""
    return getattr(value, "kind", str(value))


def recipe_of(scheme):
    changes = {"scheme": scheme, **SMALL}
    return recipes.update(
        Recipe(), {**changes, "link": {**SMALL["link"], **LARGER.get(scheme, {})}}
    )


@pytest.mark.parametrize(("registry", "name"), EVERYTHING, ids=named)
def test_everything_says_in_a_line_what_it_is(registry, name):
    kind = registry.get(name)
    assert kind.description
    assert "\n" not in kind.description
    assert not any(mark in name for mark in " /+()")
    assert registry.origin(name)


@pytest.mark.parametrize(("registry", "name"), EVERYTHING, ids=named)
def test_settings_have_defaults_and_say_what_they_mean(registry, name):
    kind = registry.get(name)
    config = getattr(kind, "Config", None)
    for each in [*([config] if config else []), *getattr(kind, "settings", ())]:
        assert issubclass(each, Section)
        each()
        for setting in each.model_fields:
            assert f"{setting}: " in (each.__doc__ or ""), f"{each.section}.{setting}"


@pytest.mark.parametrize("name", SCHEMES.names())
def test_a_scheme_states_what_protects_and_is_compared_with_what_nothing_protects(name):
    kind = SCHEMES.get(name)
    assert kind.source
    assert kind.protects
    assert kind.asymmetry in (None, "task", "channel", "key", "knowledge")
    assert all(sentence.endswith(".") for sentence in kind.deviations)
    assert SCHEMES.get(kind.reference).asymmetry is None
    for other in (kind.base, *(variant.base for variant in kind.variants.values())):
        assert other is None or SCHEMES.get(other).base is None


@pytest.mark.parametrize("name", SCHEMES.names())
def test_every_system_of_a_scheme_sends_unit_power_and_every_stage_has_parameters(name):
    recipe = recipe_of(name)
    systems = plan(with_reference(name), recipe)
    networks = TrainedNetworks(systems, recipe, SHAPE, 10, seed=0)
    for stage in networks.stages():
        objective = build_objective(networks, systems, stage)
        assert objective.name == stage
        movers = {turn.player for step in range(40) for turn in objective.turns(step, 10)}
        assert movers <= set(objective.players)
        assert all(objective.players[mover] for mover in movers)
    images = torch.rand(2, *SHAPE, generator=generator(1))
    networks.eval()
    for system in systems:
        link = networks.link(system.link.stream)
        with torch.no_grad():
            waveform = link.transmit(images, generator(2))
        if not link.fixed_gain:
            assert average_power(waveform).tolist() == pytest.approx([1.0, 1.0], rel=1e-4)
        if system.transform is not None:
            transform, counters = system.transform(link, research_key(3)), torch.tensor([4, 5])
            sent = transform.encrypt(waveform, counters)
            assert sent.shape == waveform.shape
            assert not torch.equal(sent, waveform)


@pytest.mark.parametrize(
    "name", [name for name, kind in PROTECTIONS.items() if issubclass(kind, KeyedProtection)]
)
def test_a_keyed_protection_is_undone_with_its_key_alone(name):
    kind = PROTECTIONS.get(name)
    assert kind.keyed
    waveform = normal((3, 8), dtype=torch.complex64, generator=generator(0))
    pairs = torch.view_as_real(waveform).flatten(1).unflatten(1, (-1, 4))
    waveform = waveform / pairs.norm(dim=2).repeat_interleave(2, 1) * 2**0.5
    counters = torch.tensor([7, 3, 9])
    transform, other = (kind.of(Recipe(), research_key(seed)) for seed in (0, 1))
    sent = transform.encrypt(waveform, counters)
    torch.testing.assert_close(transform.decrypt(sent, counters), waveform)
    assert (other.decrypt(sent, counters) - waveform).abs().max() > 0.1
    assert (transform.decrypt(sent, counters + 1) - waveform).abs().max() > 0.1
    if kind.keeps_norms:
        after = torch.view_as_real(sent).flatten(1).unflatten(1, (-1, 4)).norm(dim=2)
        assert after.flatten().tolist() == pytest.approx([2**0.5] * after.numel(), rel=1e-4)
    assert sent.shape[1] == waveform.shape[1] + transform.added_symbols
    with pytest.raises(SemveilError, match="used twice"):
        transform.encrypt(waveform, torch.tensor([7, 7, 9]))


@pytest.mark.parametrize(
    "name", [name for name, kind in PROTECTIONS.items() if issubclass(kind, KeyedProtection)]
)
def test_what_a_keyed_protection_calls_invariant_needs_no_key(name):
    """Whoever changes what is sent by such a map changes what Bob decrypts by the same map."""
    waveform = normal((3, 8), dtype=torch.complex128, generator=generator(0))
    pairs = torch.view_as_real(waveform).flatten(1).unflatten(1, (-1, 4))
    waveform = waveform / pairs.norm(dim=2).repeat_interleave(2, 1) * 2**0.5
    counters = torch.tensor([7, 3, 9])
    transform = PROTECTIONS.get(name).of(Recipe(), research_key(0))
    sent = transform.encrypt(waveform, counters)
    for maps in transform.invariant_maps.all:
        before, after = (maps.size(each.shape[1]) for each in (waveform, sent))
        factors = normal((1, before), dtype=torch.complex128, generator=generator(1))
        if after != before:
            # Places move: the same factor for every block.
            factors = factors[:, : maps.size(2)].repeat(1, before // maps.size(2))
        received = maps.apply(factors.repeat(1, -(-after // before))[:, :after], sent)
        found = transform.decrypt(received, counters)
        torch.testing.assert_close(found, maps.apply(factors, waveform), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "name", [name for name, kind in PROTECTIONS.items() if issubclass(kind, Mechanism)]
)
def test_noise_comes_before_keys_and_changes_the_features(name):
    recipe = recipe_of("deepjscc")
    mechanism = PROTECTIONS.get(name).of(recipe, DIM).eval()
    features = normal((2, DIM), generator=generator(0))
    once, again = (mechanism(features, generator(seed)) for seed in (1, 2))
    assert not torch.equal(once, again)
    assert mechanism.to_waveform(once).shape == (2, DIM // 2)
    assert 0 <= mechanism.noise_share < 1
    with pytest.raises(SemveilError, match=f"{name} must come before shuffle"):
        check_order(["shuffle", name], recipe)


@pytest.mark.parametrize("name", DATASETS.names())
def test_a_data_set_that_is_there_has_images_and_labels(name):
    dataset = DATASETS.get(name)()
    assert set(dataset.takes) <= {"image_size", "target", "private"}
    (status,) = (entry for entry in data.status() if entry.name == name)
    if status.problem or status.where:
        pytest.skip("its files are read by tests of their own")
    source = dataset.read()
    assert source.name == name
    assert source.train.x.ndim == 4
    assert set(source.train.y) == set(range(len(source.classes)))
