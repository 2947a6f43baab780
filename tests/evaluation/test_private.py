"""Eve is after another attribute than Bob's task: who learns what, and who is scored on what."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

import semveil
from semveil import phy
from semveil.channel import Channel
from semveil.data import Images, ImageSplits
from semveil.errors import SemveilError
from semveil.evaluation.measure import audit_system
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.evaluation.tasks import GuessingTask
from semveil.link import Answer
from semveil.recipe import AuditConfig
from semveil.records import SystemName

QUICK = AuditConfig(
    inference=["mlp"], inversion=["linear"], leakage=True, max_epochs=12, rounds=1, pictures=0
)
SETTING = Conditions(None, Channel("awgn"), Channel("awgn"), 20.0, (20.0,), (20.0,), seed=0)


def two_halves(people=None):
    """Left half bright: the task, one in ten; upper half bright: three private classes."""
    random = np.random.default_rng(0)

    def part(count):
        y = (random.random(count) < 0.1).astype(np.int64)
        private = random.choice(3, count, p=[0.6, 0.3, 0.1]).astype(np.int64)
        x = random.integers(0, 80, (count, 1, 8, 8))
        x[:, 0, :4, :4] += 80 * y[:, None, None]
        x[:, 0, 4:] += 60 * private[:, None, None]
        person = None if people is None else random.integers(0, people, count)
        return Images(x.astype(np.uint8), y, private, person)

    private_classes = ("none", "some", "much")
    return ImageSplits(
        "halves", ("dark", "bright"), part(10), part(800), part(200), part(500), private_classes
    )


def pixels(images, source, messages=None):
    pairs = (images.flatten(1) - 0.5).unflatten(1, (-1, 2)).contiguous()
    return phy.normalise_power(torch.view_as_complex(pairs))


def upper_left(reception, messages):
    """Answer Bob's task from the brightness that a threshold finds."""
    images = torch.view_as_real(reception.symbols).flatten(1).unflatten(1, (8, 8))
    corner = images[:, :4, :4].mean((1, 2)) - images[:, :4, 4:].mean((1, 2))
    return Answer(torch.stack([-corner + 0.25, corner - 0.25], 1))


@pytest.fixture(scope="module")
def found():
    system = SystemUnderTest(SystemName("pixels"), pixels, upper_left)
    records = audit_system(system, two_halves(), SETTING, QUICK, torch.device("cpu")).records
    return {(r.role, r.target, r.metric, r.adversary): r for r in records}


def test_eve_is_scored_on_the_private_attribute_and_bob_on_his_task(found):
    splits = two_halves()
    bob = found["bob", "label", "accuracy", None]
    eve = found["eve", "much", "accuracy", "inference/mlp"]
    assert bob.value > 0.95
    # There are more private classes than classes of the task, and she learns them all.
    assert eve.value > 0.95
    assert ("eve", "label", "accuracy", "inference/mlp") not in found
    chance = (
        found["system", "label", "chance", None].value,
        found["system", "much", "chance", None].value,
    )
    assert chance == pytest.approx((np.mean(splits.test.y == 0), np.mean(splits.test.private == 0)))
    assert {record.asymmetry for record in found.values()} == {"task"}


def test_the_judge_looks_for_the_private_attribute(found):
    seen = found["eve", "much", "label_accuracy", "inversion/linear"]
    assert (
        0.7
        < seen.value
        <= found["system", "much", "label_accuracy_of_originals", None].value + 0.05
    )
    assert ("eve", "much", "label_balanced_accuracy", "inversion/linear") in found


def test_balanced_accuracy_shows_who_names_the_majority_class():
    lazy = SystemUnderTest(
        SystemName("pixels"),
        pixels,
        lambda r, m: Answer(torch.tensor([[1.0, 0.0]]).expand(len(r.symbols), 2)),
    )
    settings = QUICK.model_copy(update={"inversion": [], "leakage": False, "max_epochs": 1})
    splits = two_halves()
    records = audit_system(lazy, splits, SETTING, settings, torch.device("cpu")).records
    bob = {r.metric: r for r in records if r.role == "bob"}
    assert bob["accuracy"].value == np.mean(splits.test.y == 0) > 0.85
    assert bob["balanced_accuracy"].value == 0.5


def test_a_system_with_a_key_rests_on_it_still():
    keyed = SystemUnderTest(SystemName("keyed"), pixels, asymmetry="key")
    settings = QUICK.model_copy(update={"inversion": [], "leakage": False, "max_epochs": 1})
    records = audit_system(keyed, two_halves(), SETTING, settings, torch.device("cpu")).records
    assert {record.asymmetry for record in records} == {"key"}


def test_few_people_make_a_wide_interval():
    settings = QUICK.model_copy(update={"inversion": [], "leakage": False, "max_epochs": 3})
    system = SystemUnderTest(SystemName("pixels"), pixels)
    wide, narrow = (
        next(
            r
            for r in audit_system(system, s, SETTING, settings, torch.device("cpu")).records
            if (r.metric, r.target) == ("chance", "much")
        )
        for s in (two_halves(people=5), two_halves())
    )
    assert wide.value != 0
    assert wide.ci_high - wide.ci_low >= narrow.ci_high - narrow.ci_low


def test_private_labels_without_names_are_refused():
    splits = replace(two_halves(), private_classes=None)
    with pytest.raises(SemveilError, match="private labels and private_classes go together"):
        semveil.audit(lambda images, source: pixels(images, source), splits, device="cpu")


def test_eve_and_judge_answer_for_balanced_accuracy_as_if_all_classes_were_equally_frequent():
    """Bob's task makes a rare attribute four times as likely, yet never the likelier one."""
    random = np.random.default_rng(1)

    def part(count):
        y = random.integers(0, 2, count)
        private = (random.random(count) < np.where(y == 1, 0.4, 0.1)).astype(np.int64)
        x = np.broadcast_to(60 + 120 * y[:, None, None, None], (count, 1, 8, 8))
        return Images(x.astype(np.uint8), y, private)

    splits = ImageSplits(
        "told", ("a", "b"), part(10), part(4000), part(1000), part(4000), ("c", "d")
    )
    system = SystemUnderTest(SystemName("pixels"), pixels, None)
    quick = AuditConfig(
        inference=["linear"], inversion=[], max_epochs=12, rounds=1, pictures=0, leakage=True
    )
    records = audit_system(system, splits, SETTING, quick, torch.device("cpu")).records
    found = {r.metric: r for r in records if r.adversary == "inference/linear"}
    of_originals = next(r for r in records if r.metric == "label_balanced_accuracy_of_originals")
    # She knows y. Bayes: P(y = 0 | no) = .9/1.5 and P(y = 1 | yes) = .4/.5.
    for balanced in (found["balanced_accuracy"], of_originals):
        assert balanced.ci_low < (0.6 + 0.8) / 2 < balanced.ci_high
    # For plain accuracy, the frequent answer is the best one.
    assert found["accuracy"].value == pytest.approx(np.mean(splits.test.private == 0))


def test_offsets_undo_what_a_network_wrongly_believes_of_frequencies():
    """Two normal classes, one rare; the logits have half of their slope and a wrong constant."""
    random = torch.Generator().manual_seed(0)

    def part(count):
        answers = (torch.rand(count, generator=random) < 0.2).long()
        heard = torch.randn(count, generator=random) + 2 * answers
        return torch.stack([torch.zeros(count), heard - 4], 1), answers

    (own, of_own), (test, answers) = part(4000), part(20000)
    task = GuessingTask("rare", answers, of_own.bincount(), None, 0)

    def balanced(right):
        return dict(task.score(task.right(test), right))["balanced_accuracy"].value

    offsets = task.offsets(own, of_own)
    # Bayes' rule for classes of equal frequency errs at a distance of one standard deviation.
    assert balanced(task.right_among_equals(test, offsets)) == pytest.approx(norm.cdf(1), abs=0.01)
    assert balanced(task.right_among_equals(test)) < 0.7
    # At the minimum the errors of both classes, and the pull of the prior, are in equilibrium.
    stated = (own.double() + offsets).softmax(1)
    errors = [(stated[of_own == k, 0] - float(k == 0)).mean() / 2 for k in (0, 1)]
    pull = (offsets + task.known.double().log())[0] / len(own)
    assert float(sum(errors) + pull) == pytest.approx(0, abs=1e-6)


def test_a_class_without_images_keeps_its_offset():
    logits = torch.tensor([[2.0, 0.0, 9.0], [0.0, 1.0, 9.0], [1.0, 3.0, 9.0]])
    task = GuessingTask("three", torch.tensor([0, 1, 1]), torch.tensor([10, 20, 40]), None, 0)
    offsets = task.offsets(logits, torch.tensor([0, 1, 1]))
    assert bool(offsets.isfinite().all())
    assert float(offsets[2]) == pytest.approx(-math.log(40))
