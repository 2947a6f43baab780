"""The training of a generator against a link that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Progress
from semveil.adversary.perturb.attack_data import AttackData
from semveil.adversary.perturb.generator_loss import PerturbationGenerator
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.device import native_bfloat16
from semveil.link import Answer
from semveil.rng import generator

_BETAS = (0.5, 0.999)
_SLOWER = 10
_HELD_OUT = 10
_STARTS, _FIRST_SHARE = 4, 10


class GeneratorTraining:
    """What generators are trained and compared on: a link, Mallory's images, budgets.

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
        self.data = AttackData(victim, images, labels, seed)
        order = torch.randperm(len(images), generator=generator(seed, name, "split"))
        count = -(-len(images) // _HELD_OUT)
        self.held_out, self.training = order.to(self.device).tensor_split([count])
        self.bfloat16 = native_bfloat16(self.device)

    @property
    def length(self) -> int:
        """Samples that arrive at Bob's antenna of one image."""
        incoming = self.data.send(self.held_out[:1], self.source("length"))
        return incoming.arrival.signal.shape[1]

    def source(self, *scope: str | int) -> torch.Generator:
        """Return a stream of random numbers where the images lie."""
        return generator(self.seed, self.name, *scope, device=self.device)

    def attacked(
        self,
        model: PerturbationGenerator,
        rows: Tensor,
        size: int,
        psr_db: float,
        source: torch.Generator,
    ) -> tuple[Answer, IncomingBatch, Tensor | None, Tensor]:
        """Perturb ``size`` of some images: Bob's answer, the batch, classes, directions."""
        picked, classes = model.pick(self.labels[rows], size, source)
        incoming = self.data.send(rows[picked], source)
        channel = model.training_channel(self.victim.attacker_channel)
        victim = replace(self.victim, attacker_channel=channel)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            delta = model.draw(size, psr_db, source, classes)
            answer = victim.attacked(incoming, delta, psr_db, source)
        return answer, incoming, classes, delta

    @torch.no_grad()
    def score(self, model: PerturbationGenerator) -> float:
        """Return a generator's mean objective on held-out images; the same draws for all."""
        total = 0.0
        for number, psr_db in enumerate(self.psrs_db):
            source = self.source("held out", number)
            answer, incoming, classes, _ = self.attacked(
                model, self.held_out, len(self.held_out), psr_db, source
            )
            total += float(model.mean_loss(answer, incoming, classes, source))
        return total / len(self.psrs_db)


class Learner:
    """One generator with its optimisers.

    Args:
        training: What it is trained on.
        model: What is trained, in place.
    """

    def __init__(self, training: GeneratorTraining, model: PerturbationGenerator) -> None:
        self.training, self.model, self.players = training, model, model.players()
        self.size = min(model.goal.batch, len(training.training))
        rate = model.config.lr
        self.optimisers = {
            player: torch.optim.Adam(
                parameters, rate if player == "generator" else rate / _SLOWER, _BETAS
            )
            for player, parameters in self.players.items()
        }

    def step(self, step: int) -> None:
        """Update the generator, then the discriminator, at one budget of the list."""
        training = self.training
        # Drawn on the host, so that it need not wait for a device.
        chosen = torch.randint(
            len(training.psrs_db),
            (),
            generator=generator(training.seed, training.name, "budget", step),
        )
        source = training.source("step", step)
        psr_db = training.psrs_db[int(chosen)]
        found = training.attacked(self.model, training.training, self.size, psr_db, source)
        self._update("generator", self.model.loss(*found, source))
        if "discriminator" in self.players:
            loss = self.model.discriminator_loss(found[3].detach(), source)
            self._update("discriminator", loss)

    def _update(self, player: str, loss: Tensor) -> None:
        # Only this player's gradients: Bob's stay as they are.
        self.optimisers[player].zero_grad(set_to_none=True)
        loss.backward(inputs=self.players[player])
        self.optimisers[player].step()


def train_generator(
    training: GeneratorTraining,
    fresh: Callable[[int], PerturbationGenerator],
    progress: Progress,
    known: PerturbationGenerator | None = None,
) -> PerturbationGenerator:
    """Train a generator: several start, training continues with the best, its best epoch is kept.

    The result depends on the initialisation: on handwritten digits, Bob's accuracy under PGM varies
    by up to 14 % between starts. A tenth of the steps shows most of the difference, so that four
    starts cost little more than one.

    Args:
        training: What it is trained and compared on.
        fresh: Number of a start → an untrained generator.
        progress: Told how far it is.
        known: A generator that was trained against another link: one more start.
    """
    first = None if known is None else (training.score(known), _copy(known))
    learners = [
        Learner(training, model)
        for model in [*([known] if known else []), *map(fresh, range(_STARTS))]
    ]
    per_epoch = len(training.training) // learners[0].size
    steps = per_epoch * learners[0].model.config.epochs
    trial = max(1, steps // _FIRST_SHARE)
    rounds = [(learner, step) for learner in learners for step in range(trial)]
    in_all = len(rounds) + steps - trial
    for done, (learner, step) in enumerate(rounds):
        learner.step(step)
        progress(training.name, done + 1, in_all)
    scores = [training.score(learner.model) for learner in learners]
    best = min(scores)
    learner = learners[scores.index(best)]
    kept = _copy(learner.model)
    if first is not None and first[0] < best:
        best, kept = first
    for step in range(trial, steps):
        learner.step(step)
        if (step + 1) % per_epoch == 0 and (score := training.score(learner.model)) < best:
            best, kept = score, _copy(learner.model)
        progress(training.name, len(rounds) + step - trial + 1, in_all)
    learner.model.load_state_dict(kept)
    return learner.model


def _copy(model: PerturbationGenerator) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
