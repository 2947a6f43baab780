"""An attack by a generator: trained on Mallory's own images, after which it sees none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Progress
from semveil.adversary.perturb.generate import Game
from semveil.adversary.perturb.victim import Scene, Victim
from semveil.device import native_bfloat16
from semveil.errors import SemveilError
from semveil.link import as_float
from semveil.recipe import Attack as Settings
from semveil.rng import generator, seeded

_BETAS = (0.5, 0.999)
_SLOWER = 10
_HELD_OUT = 10


class Generated:
    """An attack that sends what a generator draws, whatever Alice sends.

    Its game is played over fresh fading, noise and path in every step, at one budget of the list
    per batch. A tenth of Mallory's images is held out and chooses the best epoch.

    Args:
        settings: Epochs, learning rate, weights.
    """

    name: str
    kind: type[Game]
    needs_gradient = True
    per_input = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.game: Game | None = None

    def check(self, victim: Victim, labels: Tensor) -> None:
        """Refuse settings that do not fit Bob's task or Mallory's images.

        Raises:
            SemveilError: If a class is not there.
        """
        wrong = self.settings.wrong
        if wrong is not None and wrong >= victim.classes:
            raise SemveilError(f"attack.wrong: Bob has {victim.classes} answers, none is {wrong}")

    def fit(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
        progress: Progress,
    ) -> None:
        """Train the generator; see :class:`Attack`.

        Raises:
            SemveilError: If there are too few images, or a class is not there.
        """
        if len(images) < 2:
            raise SemveilError(f"{self.name}: {len(images)} images are too few to train with")
        self.check(victim, labels)
        scene = victim.scene(as_float(images[:1]), labels[:1])
        with seeded(seed, self.name, "weights"):
            game = self.kind(self.settings, scene.arrival.signal.shape[1], victim.classes)
        game.to(images.device)
        _Course(self.name, game, victim, images, labels, psrs_db, seed).run(progress)
        self.game = game.eval().requires_grad_(False)

    def targets(self, batch: int, source: torch.Generator) -> Tensor | None:
        """Return the classes that one batch's perturbations are aimed at, int ``[B]`` or None."""
        return None

    @torch.no_grad()
    def craft(
        self, victim: Victim, scene: Scene, psrs_db: Sequence[float], source: torch.Generator
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``: the same seeds at every budget.

        Raises:
            ValueError: If the attack has not been trained.
        """
        if self.game is None:
            raise ValueError(f"{self.name} is trained before it is used")
        batch = len(scene.arrival.signal)
        targets = self.targets(batch, source)
        seeds = self.game.seeds(batch, source, scene.arrival.signal.device)
        return torch.stack([self.game.shape(seeds, psr_db, targets) for psr_db in psrs_db])


class _Course:
    """The training of one generator, in place."""

    def __init__(
        self,
        name: str,
        game: Game,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
    ) -> None:
        self.name, self.game, self.seed, self.psrs_db = name, game, seed, psrs_db
        self.victim = replace(victim, path=game.rehearsed(victim.path))
        self.images, self.labels = images, labels
        self.bfloat16 = native_bfloat16(images.device)
        self.optimisers = {
            player: torch.optim.Adam(
                parameters,
                lr=game.settings.lr / (1 if player == "generator" else _SLOWER),
                betas=_BETAS,
            )
            for player, parameters in game.players().items()
        }

    def run(self, progress: Progress) -> None:
        """Play all epochs and leave the game as it was after the best of them."""
        settings, count = self.game.settings, len(self.images)
        order = torch.randperm(count, generator=generator(self.seed, self.name, "split"))
        held, mine = order.to(self.images.device).tensor_split([-(-count // _HELD_OUT)])
        size = min(settings.batch, len(mine))
        per_epoch = len(mine) // size
        best, kept = float("inf"), self.game.state_dict()
        for step in range(per_epoch * settings.epochs):
            self.step(mine, size, step)
            if (step + 1) % per_epoch == 0 and (score := self.score(held)) < best:
                best = score
                kept = {key: value.clone() for key, value in self.game.state_dict().items()}
            progress(self.name, step + 1, per_epoch * settings.epochs)
        self.game.load_state_dict(kept)

    def step(self, rows: Tensor, size: int, step: int) -> None:
        """Let the generator move, then the discriminator."""
        chance = generator(self.seed, self.name, "budget", step)
        psr_db = self.psrs_db[int(torch.randint(len(self.psrs_db), (), generator=chance))]
        source = self._source("step", step)
        play = self._play(rows, size, step, psr_db, source)
        self._update("generator", self.game.loss(*play, source))
        if "discriminator" in self.optimisers:
            delta = play[3].detach()
            self._update("discriminator", self.game.discriminator_loss(delta, source))

    @torch.no_grad()
    def score(self, rows: Tensor) -> float:
        """Return what is wanted of Bob's answer, on one draw that is the same every time."""
        total = 0.0
        for number, psr_db in enumerate(self.psrs_db):
            source = self._source("held out", number)
            logits, labels, targets, _ = self._play(rows, len(rows), number, psr_db, source)
            total += float(self.game.aim(logits.float(), labels, targets, source))
        return total

    def _play(
        self, rows: Tensor, size: int, turn: int, psr_db: float, source: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Attack some of the images: Bob's logits, labels, classes aimed at, perturbations."""
        picked, targets = self.game.pick(self.labels[rows], size, source)
        rows = rows[picked]
        pixels = as_float(self.images[rows]).contiguous(memory_format=torch.channels_last)
        messages = torch.arange(size, device=pixels.device) + turn * size
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.bfloat16):
            scene = self.victim.scene(pixels, self.labels[rows], source, messages)
            delta = self.game.draw(size, psr_db, source, targets)
            logits = self.victim.attacked(scene, delta, psr_db, source).logits
        return logits, scene.labels, targets, delta

    def _update(self, player: str, loss: Tensor) -> None:
        # Gradients of this player alone: Bob's stay untouched.
        optimiser = self.optimisers[player]
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=self.game.players()[player])
        optimiser.step()

    def _source(self, *scope: str | int) -> torch.Generator:
        return generator(self.seed, self.name, *scope, device=self.images.device)
