"""SemAdv: one class misunderstood and no other, and answers of Mallory's own choice."""

import math

import pytest
import torch
from torch.nn import functional as F

from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.pgm import PGM
from semveil.adversary.perturb.psr import jamming
from semveil.adversary.perturb.semadv import SemAdv, SemAdvGenerator, half_of, wrong_classes
from semveil.errors import SemveilError
from semveil.rng import generator, normal

from .targets import SURE, incoming_of, part, right, target, told

PSR_DB = 2.0
TARGET, WRONG = 2, 5
LABELS = torch.arange(10).repeat_interleave(torch.arange(3, 13))


def trained(victim, bob, attack=None, **goal):
    attack = (attack or SemAdv(epochs=12)).towards(Goal(batch=50, **goal))
    attack.fit(bob, *part(victim, "adversary"), [PSR_DB], 0, told)
    return attack


def generator_of(weight=None, **goal):
    return SemAdvGenerator(SemAdv.Config(innocent_weight=weight), Goal(**goal), 8, 10)


def answered(bob, incoming, delta, wanted, draws=8):
    """Return how often Bob answers with one class, image by image."""
    with torch.no_grad():
        answers = [
            bob.attacked(incoming, delta, PSR_DB, generator(6, draw)).logits.argmax(1)
            for draw in range(draws)
        ]
    return (torch.stack(answers) == wanted).float().mean(0)


@pytest.fixture(scope="module")
def attacked(victim):
    """Bob, the test images on their way to him, and noise."""
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    noise = jamming(incoming.arrival.signal, PSR_DB, generator=generator(8))
    return bob, incoming, noise


def test_a_wrong_class_is_never_right_and_any_of_the_others():
    labels = LABELS.repeat(100)
    wrong = wrong_classes(labels, 10, generator(0))
    assert (wrong != labels).all()
    counts = torch.bincount((wrong - labels) % 10, minlength=10)[1:].double()
    expected = len(labels) / 9
    # Chi-square with 8 degrees of freedom: above 27.9 once in 2,000 draws.
    assert float(((counts - expected).square() / expected).sum()) < 27.9


def test_half_of_the_images_are_of_the_class_aimed_at_and_all_of_each_half_are_chosen():
    targets = torch.full((4000,), 6)
    rows = half_of(LABELS, targets, generator(0))
    hit = LABELS[rows] == 6
    assert int(hit.sum()) == 2000
    for half, whole in ((rows[hit], (LABELS == 6).sum()), (rows[~hit], (LABELS != 6).sum())):
        counts = torch.bincount(half, minlength=len(LABELS))
        expected = 2000 / float(whole)
        assert int((counts > 0).sum()) == int(whole)
        assert float((counts[counts > 0] - expected).abs().max()) < 5 * expected**0.5


def test_half_of_makes_do_with_what_there_is():
    few = torch.tensor([1, 1, 3])
    assert (few[half_of(few, torch.tensor([2, 2, 2]), generator(0))] != 2).all()
    assert half_of(torch.ones(3).long(), torch.tensor([1, 1, 1]), generator(0)).max() <= 2


def test_where_bob_learns_classes_aimed_at_tell_nothing_of_the_labels():
    labels = LABELS.repeat(200)
    targets = generator_of().source_classes(labels, generator(0))
    hit = float((targets == labels).float().mean())
    assert abs(hit - 0.1) < SURE * (0.09 / len(labels)) ** 0.5
    fixed = generator_of(source_class=2).source_classes(labels, generator(0))
    assert (fixed == 2).all()
    assert generator_of(target_class=2).source_classes(labels, generator(0)) is None


@pytest.mark.parametrize("weight", [None, 1.0, 30.0])
def test_its_objective_is_equation_14_with_the_sets_weighted(weight):
    logits = normal((60, 10), generator=generator(0))
    labels = torch.arange(60) % 10
    aimed = torch.full_like(labels, TARGET)
    losses = -logits.log_softmax(1)
    hit = labels == TARGET
    innocent = losses[~hit].gather(1, labels[~hit, None])
    model = generator_of(weight, source_class=TARGET, target_class=WRONG)
    found = model.objective(logits, labels, aimed, None)
    if weight is None:
        # Sums over the two sets, divided by half of their number: six attacked, 54 others.
        assert torch.allclose(found, (losses[hit, WRONG].sum() + innocent.sum()) / 30)
    else:
        parts = losses[hit, WRONG].mean() + weight * innocent.mean()
        assert torch.allclose(found, 2 * parts / (1 + weight))
    uniform = generator_of(weight, source_class=TARGET).objective(0 * logits, labels, aimed, None)
    assert float(uniform) == pytest.approx(2 * math.log(10), rel=1e-6)
    every = generator_of(weight, target_class=WRONG).objective(logits, labels, None, None)
    assert torch.allclose(every, F.cross_entropy(logits, torch.full_like(labels, WRONG)))


def test_weights_are_by_number_whatever_share_of_a_batch_is_attacked():
    """Half of a training batch is of the class attacked; in the set it is one image in ten."""
    logits = normal((60, 10), generator=generator(0))
    labels = torch.arange(60) % 10
    model = generator_of(source_class=TARGET, target_class=WRONG)
    rows = torch.cat([torch.arange(60), torch.arange(60)[labels == TARGET].repeat(8)])
    assert torch.allclose(
        model.objective(logits[rows], labels[rows], torch.full_like(rows, TARGET), None),
        model.objective(logits, labels, torch.full_like(labels, TARGET), None),
    )


def test_it_hits_its_class_and_spares_the_others_more_than_pgm_does(victim, attacked):
    bob, incoming, noise = attacked
    hit = incoming.labels == TARGET
    (delta,) = trained(victim, bob, source_class=TARGET).craft(
        bob, incoming, [PSR_DB], generator(1)
    )
    (blunt,) = trained(victim, bob, PGM(epochs=12, shift=0)).craft(
        bob, incoming, [PSR_DB], generator(1)
    )
    aimed, jammed, spread = (right(bob, incoming, each, PSR_DB) for each in (delta, noise, blunt))
    assert aimed[hit].mean() < jammed[hit].mean() - 0.4
    drop = jammed - aimed
    assert drop[hit].mean() > drop[~hit].mean() + 0.3
    assert aimed[~hit].mean() > spread[~hit].mean() + 0.1


def test_the_heavier_the_innocent_weigh_the_better_they_are_spared(victim, attacked):
    bob, incoming, _ = attacked
    hit = incoming.labels == TARGET
    rates = []
    for weight in (1.0, 30.0):
        attack = trained(
            victim, bob, SemAdv(epochs=12, innocent_weight=weight), source_class=TARGET
        )
        (delta,) = attack.craft(bob, incoming, [PSR_DB], generator(1))
        found = right(bob, incoming, delta, PSR_DB)
        rates.append((float(found[hit].mean()), float(found[~hit].mean())))
    assert rates[1][1] > rates[0][1] + 0.03
    assert rates[1][0] > rates[0][0]


def test_one_generator_is_aimed_at_any_class(victim, attacked):
    bob, incoming, noise = attacked
    attack = trained(victim, bob, SemAdv(epochs=20, innocent_weight=1.0))
    jammed = right(bob, incoming, noise, PSR_DB)
    for aim in (TARGET, 7):
        hit = incoming.labels == aim
        (delta,) = attack.aimed(aim).craft(bob, incoming, [PSR_DB], generator(1))
        drop = jammed - right(bob, incoming, delta, PSR_DB)
        assert drop[hit].mean() > drop[~hit].mean() + 0.2
    batch = attack.source_classes(50, generator(2))
    assert len(batch.unique()) == 1
    with pytest.raises(ValueError, match="not been trained"):
        SemAdv().aimed(3)


@pytest.mark.parametrize("aim", [TARGET, None])
def test_bob_is_misled_to_the_class_that_mallory_chooses(victim, attacked, aim):
    bob, incoming, noise = attacked
    equal = SemAdv(epochs=12, innocent_weight=1.0)
    attack = trained(victim, bob, equal, source_class=aim, target_class=WRONG)
    (delta,) = attack.craft(bob, incoming, [PSR_DB], generator(1))
    others = (incoming.labels == aim) if aim is not None else (incoming.labels != WRONG)
    misled, jammed = (answered(bob, incoming, each, WRONG)[others] for each in (delta, noise))
    assert misled.mean() > jammed.mean() + 0.5


def test_classes_that_are_not_there_are_refused(victim):
    bob = target(victim)
    images, labels = part(victim, "adversary")
    for goal, rows, message in (
        (Goal(source_class=10), labels >= 0, "none of Mallory's images is of class 10"),
        (Goal(source_class=3), labels != 3, "none of Mallory's images is of class 3"),
        (Goal(3, 3), labels >= 0, "is the class that attack.source_class names"),
        (Goal(source_class=3), labels == 3, "all of one class"),
    ):
        with pytest.raises(SemveilError, match=message):
            SemAdv().towards(goal).fit(bob, images[rows], labels[rows], [PSR_DB], 0, told)
