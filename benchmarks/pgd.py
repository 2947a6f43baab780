"""Projected gradient descent, over its forward and backward passes through Bob."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.agreement import require
from benchmarks.link import IMAGE_SHAPE, random_images
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil import recipe as recipes
from semveil.adversary.perturb.iterative import PGD
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.perturb.victim import Victim
from semveil.device import one_thread
from semveil.link import as_float
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES

_PSR_DB, _CLASSES = -6.0, 10


class Attacked:
    """MobileSC at CIFAR-10's size under attack: one start, one budget, a known attacker channel."""

    def __init__(self, batch: int, steps: int) -> None:
        recipe = recipes.load("mobilesc-cifar10", ["link.width=64"])
        with seeded(0, "weights"):
            link = SCHEMES.get("mobilesc")(recipe).build(IMAGE_SHAPE, _CLASSES)
        link.eval().requires_grad_(False)
        self.victim = Victim(
            lambda images, source, _: link.transmit(images, source),
            lambda reception, _: link.receive(reception),
            link.channel,
            recipe.bob.snr_db,
            _CLASSES,
        )
        images, labels = as_float(random_images(batch)), torch.arange(batch) % _CLASSES
        self.incoming = self.victim.send(images, labels, generator(0, "scene"))
        noise = jamming(self.incoming.arrival.signal, _PSR_DB, generator=generator(0, "begin"))
        self.begin, self.steps = noise, steps
        self.pgd = PGD(steps=steps, restarts=1)

    def attack(self) -> Tensor:
        """Craft, complex ``[B, T]``."""
        crafted: Tensor = self.pgd.craft(
            self.victim, self.incoming, [_PSR_DB], generator(0, "noise")
        )[0]
        return crafted

    def slope(self, begin: Tensor | None = None) -> Tensor:
        """Return the gradient at a perturbation ``[B, T]``: one forward and backward pass."""
        injected = (self.begin if begin is None else begin).clone().requires_grad_(True)
        heard = self.victim.channel.hear(
            self.incoming.arrival,
            self.victim.snr_db,
            generator=generator(0, "noise"),
            injected=injected,
        )
        logits = self.victim.receive(heard, self.incoming.messages).scores
        functional.cross_entropy(logits, self.incoming.labels, reduction="sum").backward()
        assert injected.grad is not None
        return injected.grad

    def bare(self) -> None:
        """Do as many forward and backward passes as the attack."""
        for _ in range(self.steps):
            self.slope()


def require_same_slope(batch: int) -> None:
    """Raise :class:`DisagreementError` unless one attack step follows the bare pass's gradient."""
    attacked = Attacked(batch, steps=1)
    signal = attacked.incoming.arrival.signal
    uphill = to_psr(attacked.slope(torch.zeros_like(signal)), signal, _PSR_DB)
    require("first step", attacked.attack(), uphill, tolerance=1e-3)


@one_thread()
def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Time both on one thread."""
    require_same_slope(4)
    attacked = Attacked(*(8, 2) if quick else (64, 20))
    return alternate(
        Work("projected gradient descent, per step", attacked.attack, attacked.steps),
        Work("forward and backward pass through Bob", attacked.bare, attacked.steps),
        3 if quick else 11,
        on_round,
    )


RATIOS = {
    "pgd_overhead": Ratio(
        title="Projected gradient descent, over its steps' forward and backward passes through Bob",
        target=("<=", 1.15),
        measure=measure,
    ),
}
