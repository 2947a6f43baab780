"""What PGM and SemAdv share: remapping, spread, and a training that leaves Bob alone."""

import pytest
import torch

from semveil import phy
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.generator_loss import remap, spread
from semveil.adversary.perturb.generator_training import GeneratorTraining
from semveil.errors import SemveilError
from semveil.rng import generator, normal

from .targets import found, incoming_of, part, target, told

KINDS = ["pgm", "semadv"]


def build(name, epochs=3, batch=50, lr=3e-3, **settings):
    kind = ATTACKS.get(name)
    if "shift" in kind.Config.model_fields:
        settings["shift"] = 0
    return kind(epochs=epochs, lr=lr, **settings).towards(Goal(batch=batch))


def noise(count, length, seed=0):
    return normal((count, length), dtype=torch.complex64, generator=generator(seed))


def test_remapping_leaves_zero_mean_and_unit_power_and_changes_nothing_else():
    given = 3 * noise(5, 40) + 2
    mapped = remap(given)
    assert mapped.mean(1).abs().max() < 1e-6
    assert phy.average_power(mapped).tolist() == pytest.approx([1.0] * 5, rel=1e-5)
    scaled = (given - given.mean(1, keepdim=True)) / mapped
    assert scaled.imag.abs().max() < 1e-4
    assert torch.allclose(remap(mapped), mapped, atol=1e-6)


def test_spread_is_that_of_independent_noise_and_counts_within_groups():
    # Distances of independent unit vectors lie about √2, within 1/√(2·length) of it.
    assert float(spread(noise(60, 400))) == pytest.approx(2**0.5, abs=0.01)
    one = noise(1, 8)
    rows = torch.cat([one, one, -one, -one])
    # Four of the six pairs are opposite, two are one and the same.
    assert float(spread(rows)) == pytest.approx(4 * 2 / 6, abs=1e-3)
    assert float(spread(rows, torch.tensor([0, 0, 1, 1]))) == pytest.approx(0, abs=1e-3)
    assert float(spread(rows, torch.tensor([0, 1, 0, 1]))) == pytest.approx(2, abs=1e-3)
    assert float(spread(one)) == 0


@pytest.mark.parametrize("name", KINDS)
def test_training_leaves_bob_as_he_is(victim, name):
    before = {key: value.clone() for key, value in victim.link.state_dict().items()}
    victim.link.requires_grad_(True).zero_grad()
    try:
        attack = build(name)
        attack.fit(target(victim), *part(victim, "adversary"), [-3.0], 0, told)
        assert all(parameter.grad is None for parameter in victim.link.parameters())
    finally:
        victim.link.requires_grad_(False)
    after = victim.link.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


@pytest.mark.parametrize("name", KINDS)
def test_one_draw_of_seeds_serves_all_budgets_and_all_images(victim, name):
    bob = target(victim)
    incoming = incoming_of(victim, bob, count=6)
    attack = build(name)
    deltas = found(attack, victim, bob, incoming, [-9.0, 3.0])
    alone = attack.craft(bob, incoming, [3.0], generator(0, "craft"))
    assert torch.equal(deltas[1], alone[0])
    assert (deltas[0] - deltas[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", KINDS)
def test_a_weight_on_diversity_makes_perturbations_differ(victim, name):
    bob = target(victim)
    drawn = []
    for weight in (0.0, 10.0):
        attack = build(name, diversity=weight, epochs=12).towards(Goal(source_class=2, batch=50))
        attack.fit(bob, *part(victim, "adversary"), [-3.0], 0, told)
        drawn.append(float(spread(attack.model_at(-3.0).draw(100, -3.0, generator(3)))))
    assert drawn[1] > drawn[0] + 0.3


@pytest.mark.parametrize("name", KINDS)
def test_what_cannot_be_trained_is_refused(victim, name):
    bob = target(victim)
    images, labels = part(victim, "adversary")
    incoming = incoming_of(victim, bob, count=2)
    with pytest.raises(ValueError, match="trained before"):
        build(name).craft(bob, incoming, [-3.0], generator(0))
    with pytest.raises(SemveilError, match="too few"):
        build(name).fit(bob, images[:1], labels[:1], [-3.0], 0, told)
    with pytest.raises(SemveilError, match=r"attack\.target_class: Bob has 10 answers"):
        build(name).towards(Goal(target_class=10)).fit(bob, images, labels, [-3.0], 0, told)


def test_progress_is_told_to_its_end(victim):
    news = []
    attack = build("pgm")
    attack.fit(
        target(victim), *part(victim, "adversary"), [-3.0], 0, lambda *given: news.append(given)
    )
    assert [done for _, done, _ in news] == list(range(1, news[-1][2] + 1))
    assert {stage for stage, _, _ in news} == {"pgm"}


BUDGETS = [-20.0, -9.0, -3.0, 3.0]


@pytest.mark.parametrize("name", KINDS)
def test_an_earlier_link_makes_no_attack_weaker_at_any_budget(victim, other_victim, name):
    images = part(victim, "adversary")
    earlier = build(name)
    earlier.fit(target(other_victim), *images, BUDGETS, 0, told)
    before = [
        {key: value.clone() for key, value in model.state_dict().items()}
        for model in earlier.models.values()
    ]
    again, anew = (build(name) for _ in range(2))
    again.models = earlier.models
    for attack in (again, anew):
        attack.fit(target(victim), *images, BUDGETS, 1, told)
    course = GeneratorTraining(name, target(victim), *images, BUDGETS, seed=1)
    for at, psr_db in enumerate(BUDGETS):
        best, *others = (
            course.scores(attack.model_at(psr_db))[at] for attack in (again, anew, earlier)
        )
        assert best <= min(others)
    # What was learned before stays what it was.
    for model, kept in zip(earlier.models.values(), before, strict=True):
        assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", KINDS)
def test_each_budget_has_the_best_of_all_budgets_generators(victim, name):
    images = part(victim, "adversary")
    attack = build(name)
    attack.fit(target(victim), *images, BUDGETS, 0, told)
    course = GeneratorTraining(name, target(victim), *images, BUDGETS, seed=0)
    scores = {psr_db: course.scores(attack.model_at(psr_db)) for psr_db in BUDGETS}
    for at, psr_db in enumerate(BUDGETS):
        assert scores[psr_db][at] == min(found[at] for found in scores.values())


def test_failures_are_counted_on_both_sets_as_they_are_weighed(victim):
    """Of 10 images attacked 3 are right still, of 10 others 1 is wrong."""
    attack = build("semadv", innocent_weight=4.0).towards(Goal(source_class=2))
    model = attack.kind(attack.config, attack.goal, 8, 10)
    labels = torch.tensor([2] * 10 + [7] * 10)
    answers = torch.tensor([2] * 3 + [5] * 7 + [2] + [7] * 9)
    logits = torch.nn.functional.one_hot(answers, 10).float()
    rate = model.failure_rate(logits, labels, torch.full_like(labels, 2))
    assert rate == pytest.approx((0.3 + 4 * 0.1) / 5)
