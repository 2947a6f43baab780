"""Time to an accuracy: the recipe of a task link against plain training of the same network."""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.nn import functional

from benchmarks.agreement import DisagreementError
from benchmarks.link import train
from benchmarks.timing import MissingError, OnRound, Ratio, Rounds, Work
from semveil import recipe as recipes
from semveil.data import load
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.experiment.training import link_schedule
from semveil.link import LinkNetwork, as_float
from semveil.nets.eavesdropper import SimulatedEve
from semveil.nets.whitening import Whitening
from semveil.recipe import Recipe
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES

_EPOCHS = 3
# After so many passes the plain loop is about where the recipe is after its own.
_PLAIN_EPOCHS = 6
_WANTED = 0.8


def _link(recipe: Recipe, splits: ImageSplits) -> LinkNetwork:
    with seeded(0, "weights"):
        return SCHEMES.get(recipe.scheme)(recipe).build(splits.image_shape, splits.n_classes)


def train_by_recipe(recipe: Recipe, splits: ImageSplits) -> LinkNetwork:
    """Train a link as ``semveil train`` does."""
    link, scheme = _link(recipe, splits), SCHEMES.get(recipe.scheme)(recipe)
    shape, classes = splits.image_shape, splits.n_classes
    eve = SimulatedEve("linear", recipe.link.latent_dim + 1, classes, shape)
    images, labels = torch.from_numpy(splits.system.x), torch.from_numpy(splits.system.y)
    link.prepare(images)
    objective = scheme.objective(link, eve)
    train(objective, images, labels=labels, schedule=link_schedule(recipe, 0))
    return link.eval()


def train_plainly(recipe: Recipe, splits: ImageSplits, epochs: int) -> LinkNetwork:
    """Train the same network by AdamW in float32 on whole images, its first layer learned too."""
    link = _link(recipe, splits)
    for module in link.modules():
        for name, child in module.named_children():
            if isinstance(child, Whitening):
                first = nn.Conv2d(splits.image_shape[0], child.outputs, 2)
                setattr(module, name, first)
    images, labels = torch.from_numpy(splits.system.x), torch.from_numpy(splits.system.y)
    settings, source = recipe.train, generator(0, "plain")
    steps = epochs * (len(images) // settings.batch)
    optimiser = torch.optim.AdamW(link.parameters(), lr=settings.lr)
    falls = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    done = 0
    while done < steps:
        order = torch.randperm(len(images), generator=source)
        for chosen in order.split(settings.batch)[: steps - done]:
            pixels = as_float(images[chosen])
            mirrored = torch.rand(len(chosen), 1, 1, 1, generator=source) < 0.5 * settings.flip
            pixels = torch.where(mirrored, pixels.flip(3), pixels)
            scores = link(pixels, recipe.bob.snr_db, generator=source).scores
            optimiser.zero_grad()
            functional.cross_entropy(scores, labels[chosen]).backward()
            optimiser.step()
            falls.step()
            done += 1
    return link.eval()


@torch.no_grad()
def accuracy(link: LinkNetwork, splits: ImageSplits, snr_db: float) -> float:
    """Return Bob's accuracy on the test images."""
    source, right = generator(0, "accuracy"), 0
    images, labels = torch.from_numpy(splits.test.x), torch.from_numpy(splits.test.y)
    for some, wanted in zip(images.split(500), labels.split(500), strict=True):
        found = link(as_float(some), snr_db, generator=source).scores.argmax(1)
        right += int((found == wanted).sum())
    return right / len(images)


def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Train once in both ways and compare the times; on digits if quick, without a bound."""
    recipe = recipes.load("deepjscc-cifar10", {"train.epochs": 1 if quick else _EPOCHS})
    if quick:
        recipe = recipes.update(
            recipe,
            {
                "data": {"name": "digits"},
                "link": {"width": 4},
                "train": {"batch": 100, "progressive_size": None},
            },
        )
    try:
        splits = load(recipe.data.name)
    except SemveilError as missing:
        raise MissingError(str(missing)) from None
    plain_epochs = 1 if quick else _PLAIN_EPOCHS
    start = time.perf_counter()
    ours = train_by_recipe(recipe, splits)
    middle = time.perf_counter()
    on_round(1, 2)
    again = time.perf_counter()
    plain = train_plainly(recipe, splits, plain_epochs)
    seconds = time.perf_counter() - again
    on_round(2, 2)
    reached = [accuracy(link, splits, recipe.bob.snr_db) for link in (ours, plain)]
    if not quick and not (reached[0] >= _WANTED and reached[0] >= reached[1]):
        raise DisagreementError(
            "time_to_accuracy: the recipe reached {:.3f}, plain training {:.3f}".format(*reached)
        )
    over = Work(f"plain training to {reached[1]:.3f}", lambda: None)
    under = Work(f"the recipe's to {reached[0]:.3f}", lambda: None)
    return Rounds(over, under, [seconds], [middle - start])


RATIOS = {
    "time_to_accuracy": Ratio(
        title="Time to 80 % on CIFAR-10: the recipe of deepjscc, against AdamW in float32",
        target=(">=", 4.0),
        measure=measure,
    ),
}
