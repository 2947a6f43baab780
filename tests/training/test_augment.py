"""Images that are moved, mirrored and made smaller, and trainings with them that break off."""

from __future__ import annotations

import pytest
import torch
from test_loop import IMAGES, MANY_LABELS
from torch.nn import functional as F

from semveil import recipe as recipes
from semveil.experiment.training import link_schedule
from semveil.nets.eavesdropper import SimulatedEve
from semveil.nets.task import FilterConv
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES
from semveil.training.augment import Augmentation, Augmented
from semveil.training.loop import fit
from semveil.training.muon import Muon
from semveil.training.optimisers import optimisers

COLOUR = torch.randint(0, 256, (40, 3, 12, 16), dtype=torch.uint8, generator=generator(2))


def test_every_image_is_a_window_of_itself_reflected_and_perhaps_mirrored():
    changes = Augmented(COLOUR, Augmentation(crop=2, flip=True), generator(1))
    rows = torch.arange(40).repeat(50)
    taken = changes.take(rows, 0, generator(3))
    assert taken.dtype == torch.uint8
    # The library's own reflection, and all 2·5·5 results of every image.
    padded = F.pad(COLOUR.float(), (2, 2, 2, 2), mode="reflect").to(torch.uint8)
    counts = torch.zeros(50)
    for place, (down, right, mirrored) in enumerate(
        (d, r, m) for d in range(5) for r in range(5) for m in (False, True)
    ):
        window = padded[:, :, down : down + 12, right : right + 16]
        window = window.flip(3) if mirrored else window
        counts[place] = (taken == window[rows]).flatten(1).all(1).sum()
    assert int(counts.sum()) == 2000
    # Chi-squared with 49 degrees of freedom: 99.9 %.
    assert float((counts - 40).square().sum() / 40) < 85.4


def test_an_image_comes_mirrored_in_every_other_epoch():
    changes, rows = Augmented(COLOUR, Augmentation(flip=True), generator(1)), torch.arange(40)
    plain = [(changes.take(rows, epoch, None) == COLOUR).flatten(1).all(1) for epoch in range(4)]
    assert int(plain[0].sum()) == 20
    assert torch.equal(plain[1], ~plain[0])
    assert torch.equal(plain[2], plain[0])
    assert torch.equal(plain[3], plain[1])


def test_without_changes_it_is_the_images():
    assert torch.equal(Augmented(COLOUR, Augmentation()).take(torch.arange(40), 0, None), COLOUR)


@pytest.mark.parametrize(("done", "smaller"), [(0.0, True), (0.29, True), (0.3, False)])
def test_images_are_smaller_in_the_first_steps(done, smaller):
    changes = Augmented(COLOUR, Augmentation(size=8, share=0.3))
    found = changes.smaller(COLOUR.float() / 255, done)
    assert (found is not None) == smaller
    if found is not None:
        # Sides keep their ratio, and the mean stays what it was.
        assert found.shape == (40, 3, 8, 11)
        means = (COLOUR.float() / 255).mean((1, 2, 3))
        assert torch.allclose(found.mean((1, 2, 3)), means, atol=0.02)


def task_objective(**changes):
    recipe = recipes.load("deepjscc-digits", {"link.width": 4, "link.latent_dim": 8})
    settings = {
        "epochs": 4,
        "batch": 8,
        "optimiser": "muon",
        "muon_lr": 0.1,
        "schedule": "linear",
        "crop": 1,
        "flip": True,
        "progressive_size": 8,
        **changes,
    }
    recipe = recipes.update(recipe, {"train": settings})
    scheme = SCHEMES.get("deepjscc")(recipe)
    with seeded(0, "weights"):
        link = scheme.build((1, 8, 8), 10)
        eve = SimulatedEve("linear", 9, 10, (1, 8, 8))
    link.prepare(IMAGES)
    return scheme.objective(link, eve), link_schedule(recipe, 0)


def test_a_training_with_muon_that_breaks_off_ends_at_the_same_numbers(fabric, tmp_path):
    whole, plan = task_objective()
    fit(whole, IMAGES, MANY_LABELS, plan, fabric)

    stopped, _ = task_objective()

    def stop(stage, done, steps):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(stopped, IMAGES, MANY_LABELS, plan, fabric, tmp_path, stop)
    resumed, _ = task_objective()
    fit(resumed, IMAGES, MANY_LABELS, plan, fabric, tmp_path)
    found = resumed.modules.state_dict()
    for name, tensor in whole.modules.state_dict().items():
        assert torch.equal(tensor, found[name]), name


def test_muon_moves_filters_and_nothing_else_of_a_link():
    objective, _ = task_objective()
    adam, muon = optimisers(objective, objective.players["link"], 0.01, 0.1)
    assert isinstance(muon, Muon)
    filters = {m.weight for m in objective.link.modules() if isinstance(m, FilterConv)}
    moved = {each for group in muon.param_groups for each in group["params"]}
    assert moved == filters
    rest = {each for group in adam.param_groups for each in group["params"]}
    assert moved | rest == set(objective.players["link"])
    assert not moved & rest
    (alone,) = optimisers(objective, objective.players["eve_image"], 0.01, 0.1)
    assert isinstance(alone, torch.optim.Adam)
