"""Whom the game and the perturbation keep what from, where Eve is after a private attribute."""

from __future__ import annotations

import pytest
import torch
from toys import SHAPE, plain_recipe

from semveil.adversary.perturb.cooperative import CooperativeAim, PerturbationConfig
from semveil.nets.eavesdropper import Ensemble, SimulatedEve
from semveil.recipe import check
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES
from semveil.training.loop import Schedule, fit
from semveil.training.minmax import MinMax, MinMaxConfig

TASK, PRIVATE = 10, 3


def private_game(ensemble=1, weight=1.0):
    """Return a game whose Eve is after three private classes."""
    recipe = check(plain_recipe())
    settings = recipe.of(MinMaxConfig).model_copy(update={"weight": weight})
    with seeded(7, "private"):
        link = SCHEMES.get("multitask")(recipe).build(SHAPE, TASK)
        eve = SimulatedEve("mlp", 9, PRIVATE, SHAPE, ensemble, private=True)
    return MinMax(recipe, link, eve, settings)


def halves(count=256):
    """Return images whose upper half shows the private class, and the left one the task."""
    source = generator(1)
    labels = torch.randint(2, (count,), generator=source)
    private = torch.randint(PRIVATE, (count,), generator=source)
    images = torch.randint(0, 60, (count, *SHAPE), dtype=torch.uint8, generator=source)
    images[:, :, :4] += (private * 60).to(torch.uint8)[:, None, None, None]
    images[:, :, :, :4] += (labels * 60).to(torch.uint8)[:, None, None, None]
    return images, labels, private


@pytest.mark.slow
def test_every_eve_learns_the_private_classes_and_bob_the_task(fabric):
    objective = private_game(ensemble=2, weight=0.0)
    images, labels, private = halves()
    schedule = Schedule(25, 32, 1e-2, 1.0, 0)
    fit(objective, images, labels, schedule, fabric, private=private)
    with torch.no_grad():
        waveform = objective.link.transmit(images.float() / 255)
        heard = objective.link.channel(waveform, 30.0, generator=generator(5))
        bob = objective.link.decode(heard.features()).scores.argmax(1)
        eve = objective.eve(heard.features()).argmax(1)
        each = [logits.argmax(1) for logits in objective.eve.each(heard.features())]
    assert (bob == labels).float().mean() > 0.9
    assert (eve == private).float().mean() > 0.7
    assert len(each) == 2
    assert all((one == private).float().mean() > 0.6 for one in each)


def test_an_ensemble_answers_with_its_mean_posterior():
    sure, unsure = torch.tensor([[0.9, 0.1]]).log(), torch.tensor([[0.5, 0.5]]).log()

    class Fixed(torch.nn.Module):
        def __init__(self, logits):
            super().__init__()
            self.logits = logits

        def forward(self, observations):
            return self.logits + 3.0  # a common shift of logits changes no posterior

    answer = Ensemble([Fixed(sure), Fixed(unsure)])(torch.zeros(1, 1))
    assert answer.exp().tolist()[0] == pytest.approx([0.7, 0.3])


def test_the_perturbation_hides_eves_answer_and_spares_bobs():
    objective = private_game()
    link, eve = objective.link.requires_grad_(False), objective.eve.requires_grad_(False)
    waveform = link.transmit(halves(16)[0].float() / 255)
    shared = CooperativeAim(PerturbationConfig(), link, eve).wanted(waveform)
    private = CooperativeAim(PerturbationConfig(), link, eve, private=True).wanted(waveform)
    assert torch.equal(shared.eve_labels, shared.labels)
    assert torch.equal(private.labels, shared.labels)
    clear = link.channel(waveform, 60.0, generator=generator(2)).features()
    agreement = (private.eve_labels == eve(clear).argmax(1)).float().mean()
    assert agreement > 0.9
