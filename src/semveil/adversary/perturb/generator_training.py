"""The training of a generator against a link that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Progress
from semveil.adversary.perturb.attack_data import AttackData
from semveil.adversary.perturb.generator_loss import PerturbationGenerator
from semveil.adversary.perturb.victim import Victim
from semveil.device import native_bfloat16
from semveil.rng import generator

_BETAS = (0.5, 0.999)
_SLOWER = 10
_HELD_OUT = 10
_STARTS, _HEAT = 4, 10


class GeneratorTraining:
    """What generators are trained on and judged by: a link, Mallory's images, budgets.

    Args:
        name: The attack's.
        victim: The link.
        images: uint8 ``[N, C, H, W]``, two or more; a tenth is held out.
        labels: int ``[N]``.
        psrs_db: Budgets, dB.
        seed: Seed of every stream.
    """

    def __init__(
        self,
        name: str,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
    ) -> None:
        self.name, self.seed, self.device = name, seed, images.device
        self.victim, self.labels, self.psrs_db = victim, labels, psrs_db
        self.rehearsal = AttackData(victim, images, labels, seed)
        order = torch.randperm(len(images), generator=generator(seed, name, "split"))
        self.held, self.mine = order.to(self.device).tensor_split([-(-len(images) // _HELD_OUT)])
        self.bfloat16 = native_bfloat16(self.device)

    @property
    def length(self) -> int:
        """Samples that arrive at Bob's antenna of one image."""
        scene = self.rehearsal.scene(self.held[:1], self.source("length"))
        return scene.arrival.signal.shape[1]

    def source(self, *scope: str | int) -> torch.Generator:
        """Return a stream of random numbers where the images lie."""
        return generator(self.seed, self.name, *scope, device=self.device)

    def play(
        self,
        game: PerturbationGenerator,
        rows: Tensor,
        size: int,
        psr_db: float,
        source: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Perturb so many of some images: Bob's logits, labels, classes aimed at, directions."""
        picked, targets = game.pick(self.labels[rows], size, source)
        scene = self.rehearsal.scene(rows[picked], source)
        victim = replace(self.victim, path=game.rehearsed(self.victim.path))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            delta = game.draw(size, psr_db, source, targets)
            logits = victim.attacked(scene, delta, psr_db, source).logits
        return logits.float(), scene.labels, targets, delta

    @torch.no_grad()
    def score(self, game: PerturbationGenerator) -> float:
        """Return what the game wants of Bob, on images held out and draws the same for all."""
        total = 0.0
        for number, psr_db in enumerate(self.psrs_db):
            source = self.source("held out", number)
            logits, labels, targets, _ = self.play(game, self.held, len(self.held), psr_db, source)
            total += float(game.aim(logits, labels, targets, source))
        return total / len(self.psrs_db)


class Learner:
    """One game with its optimisers.

    Args:
        course: What it is trained on.
        game: What is trained, in place.
    """

    def __init__(self, course: GeneratorTraining, game: PerturbationGenerator) -> None:
        self.course, self.game, self.players = course, game, game.players()
        self.size = min(game.settings.batch, len(course.mine))
        rate = game.settings.lr
        self.optimisers = {
            player: torch.optim.Adam(
                parameters, rate if player == "generator" else rate / _SLOWER, _BETAS
            )
            for player, parameters in self.players.items()
        }

    def step(self, step: int) -> None:
        """Let the generator move, then the discriminator, at one budget of the list."""
        course = self.course
        # Drawn apart, where the host can see it without waiting for a device.
        lot = torch.randint(
            len(course.psrs_db), (), generator=generator(course.seed, course.name, "budget", step)
        )
        source = course.source("step", step)
        play = course.play(self.game, course.mine, self.size, course.psrs_db[int(lot)], source)
        self._update("generator", self.game.loss(*play, source))
        if "discriminator" in self.players:
            loss = self.game.discriminator_loss(play[3].detach(), source)
            self._update("discriminator", loss)

    def _update(self, player: str, loss: Tensor) -> None:
        # Gradients of this player alone: Bob's stay untouched.
        self.optimisers[player].zero_grad(set_to_none=True)
        loss.backward(inputs=self.players[player])
        self.optimisers[player].step()


def train_generator(
    course: GeneratorTraining,
    fresh: Callable[[int], PerturbationGenerator],
    progress: Progress,
    known: PerturbationGenerator | None = None,
) -> PerturbationGenerator:
    """Train a generator: several begin, the best goes on, its best epoch stays.

    Which perturbation a generator ends at depends on where it begins: on handwritten digits,
    PGM's starts end at accuracies of Bob's that differ by a seventh. A tenth of the steps tells
    most of it, so that four starts cost little more than one.

    Args:
        course: What it is trained on, and judged by.
        fresh: Number of a start → a game that has not begun.
        progress: Told how far it is.
        known: A game that was played against another link: one more start.
    """
    first = None if known is None else (course.score(known), _copy(known))
    begun = [fresh(start) for start in range(_STARTS)]
    learners = [Learner(course, game) for game in ([known] if known else []) + begun]
    per_epoch = len(course.mine) // learners[0].size
    steps = per_epoch * learners[0].game.settings.epochs
    heat = max(1, steps // _HEAT)
    rounds = [(learner, step) for learner in learners for step in range(heat)]
    in_all = len(rounds) + steps - heat
    for done, (learner, step) in enumerate(rounds):
        learner.step(step)
        progress(course.name, done + 1, in_all)
    scores = [course.score(learner.game) for learner in learners]
    best = min(scores)
    learner = learners[scores.index(best)]
    kept = _copy(learner.game)
    if first is not None and first[0] < best:
        best, kept = first
    for step in range(heat, steps):
        learner.step(step)
        if (step + 1) % per_epoch == 0 and (score := course.score(learner.game)) < best:
            best, kept = score, _copy(learner.game)
        progress(course.name, len(rounds) + step - heat + 1, in_all)
    learner.game.load_state_dict(kept)
    return learner.game


def _copy(game: PerturbationGenerator) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in game.state_dict().items()}
