"""Training of a trained link against somebody who perturbs what Bob receives.

Nan et al., arXiv 2305.07220, algorithm 2 (SemMixed): a part of every batch stays clean, the rest
is perturbed by one attack, drawn by lot where there are several. SemAdv aims at a class drawn
afresh for every image, so that every batch serves all (theirs draws one for a batch). Their
generators' own schedule is not stated: here a generator takes a step against the link as it is,
once in ``harden.generator_steps`` steps, and perturbs the link's batches without a gradient, so
that each turn builds Bob's graph once (our reading).

What a scheme was trained for besides its task (a simulated Eve, a wrong key) has no part in this:
audit the hardened link anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from semveil.adversary.perturb.attack import log_odds
from semveil.adversary.perturb.attacker_channel import attacker_channel
from semveil.adversary.perturb.generator_loss import PerturbationGenerator
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.pgm import PgmGenerator
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.perturb.semadv import SemAdvGenerator
from semveil.channel import Arrival
from semveil.errors import SemveilError
from semveil.link import LinkNetwork
from semveil.nets.convolutional import ImageShape
from semveil.recipe import Recipe
from semveil.rng import Randomness, uniform
from semveil.training.joint import joint_losses
from semveil.training.objective import Batch, Losses, Turn

Craft = Callable[[Arrival, Batch, Tensor, Randomness], Tensor]
"""What arrives, the batch, budgets in dB ``[B]``, randomness → directions, complex ``[B, T]``."""

_GAMES = {
    "at-pgm": ("pgm",),
    "at-semadv": ("semadv",),
    "semmixed": ("pgm", "semadv"),
}


def rows_of(arrival: Arrival, rows: slice) -> Arrival:
    """Return some images' part of what arrives."""
    return Arrival(arrival.signal[rows], arrival.fading[rows])


class Robust:
    """Players: the link, and the generators that it is trained against, with what trains them.

    Args:
        recipe: Method, budgets, shares; weights and SNR.
        link: Alice and Bob, already trained.
        image_shape: Channels, height, width.
        classes: Answers of the task.
        name: Stage of the run.

    Raises:
        SemveilError: If the method needs a gradient that Bob's answer has not.
    """

    def __init__(
        self, recipe: Recipe, link: LinkNetwork, image_shape: ImageShape, classes: int, name: str
    ) -> None:
        self.name, self.link, self.recipe = name, link, recipe
        self.settings = recipe.harden
        method = self.settings.method
        if method != "noise" and link.encrypts:
            # Who follows gradients would follow those of a receiver that decrypts nothing.
            raise SemveilError(
                f"harden.method: {method} needs what Bob receives to be what he reads, and cipher "
                "decrypts in between; there is noise"
            )
        if method != "noise" and not link.differentiable:
            raise SemveilError(f"harden.method: {method} needs a receiver with a gradient")
        self.path = attacker_channel(recipe.attack.mallory)
        self.games = nn.ModuleDict()
        kinds = {"pgm": PgmGenerator, "semadv": SemAdvGenerator}
        # Any class may be aimed at, and any wrong answer will do.
        attack = recipe.attack.model_copy(update={"target": None, "wrong": None})
        for kind in _GAMES.get(method, ()):
            length = frame_length(link, image_shape)
            self.games[kind] = kinds[kind](attack, length, classes)
        self.crafts: dict[str, Craft] = {
            kind: partial(self._generated, kind) for kind in self.games
        }
        if not self.crafts:
            self.crafts = {method: {"noise": self._noise, "at-pgd": self._pgd}[method]}
        self.modules = nn.ModuleDict({"link": link, "games": self.games})
        self.players: dict[str, list[nn.Parameter]] = {
            "link": [p for p in link.parameters() if p.requires_grad]
        }
        for kind in self.games:
            for player, parameters in self._game(kind).players().items():
                self.players[f"{kind}_{player}"] = parameters

    def _game(self, kind: str) -> PerturbationGenerator:
        game = self.games[kind]
        assert isinstance(game, PerturbationGenerator)
        return game

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return who moves: now and then the generators, then Alice and Bob."""
        pair = Turn("link", self._pair)
        if step % self.settings.generator_steps:
            return [pair]
        moves = [
            Turn(f"{kind}_{part}", partial(self._move, kind, part))
            for kind in self.games
            for part in self._game(kind).players()
        ]
        return [*moves, pair]

    def _budgets(self, count: int, source: Randomness, device: torch.device) -> Tensor:
        # One draw per batch: an attacker's budget does not change from image to image.
        draw = uniform((count,), device=device, generator=source)[:1]
        return (self.settings.psr_db - self.settings.span_db * draw).expand(count)

    def _arriving(self, delta: Tensor, arrival: Arrival, psr: Tensor, source: Randomness) -> Tensor:
        return to_psr(self.path(delta, source), arrival.signal, psr)

    def _pair(self, batch: Batch, source: Randomness) -> Losses:
        clean = round(self.settings.clean * len(batch.images))
        names = list(self.crafts)
        draw = uniform((len(batch.images),), device=batch.images.device, generator=source)[0]
        craft = self.crafts[names[min(int(draw * len(names)), len(names) - 1)]]

        def disturb(arrival: Arrival) -> Tensor:
            rows = slice(clean, None)
            met = Batch(batch.images[rows], batch.labels[rows])
            struck = rows_of(arrival, rows)
            psr = self._budgets(len(met.images), source, met.images.device)
            delta = craft(struck, met, psr, source)
            arriving = self._arriving(delta, struck, psr, source).detach()
            return torch.cat([torch.zeros_like(arrival.signal[:clean]), arriving])

        return joint_losses(self.link, self.recipe, batch, source, disturb)

    def _noise(self, arrival: Arrival, batch: Batch, psr: Tensor, source: Randomness) -> Tensor:
        return jamming(arrival.signal, psr, generator=source)

    @torch.no_grad()
    def _generated(
        self, kind: str, arrival: Arrival, batch: Batch, psr: Tensor, source: Randomness
    ) -> Tensor:
        game = self._game(kind)
        return game.draw(len(psr), psr, source, game.targets(batch.labels, source))

    def _pgd(self, arrival: Arrival, batch: Batch, psr: Tensor, source: Randomness) -> Tensor:
        arrival = Arrival(arrival.signal.detach(), arrival.fading)

        def loss(delta: Tensor, step: int) -> Tensor:
            logits = self._answer(arrival, self._arriving(delta, arrival, psr, source), source)
            return log_odds(logits, batch.labels)

        with _frozen(self.link):
            return descend(arrival.signal, loss, psr, self.settings.steps)

    def _answer(self, arrival: Arrival, injected: Tensor, source: Randomness) -> Tensor:
        heard = self.link.channel.hear(
            arrival, self.recipe.bob.snr_db, generator=source, injected=injected
        )
        return self.link.receive(heard).logits.float()

    def _move(self, kind: str, part: str, batch: Batch, source: Randomness) -> Losses:
        game = self._game(kind)
        targets = game.targets(batch.labels, source)
        psr = self._budgets(len(batch.labels), source, batch.labels.device)
        if part == "discriminator":
            with torch.no_grad():
                delta = game.draw(len(psr), psr, source, targets)
            return {"total": game.discriminator_loss(delta, source)}
        delta = game.draw(len(psr), psr, source, targets)
        with _frozen(self.link):
            with torch.no_grad():
                arrival = self.link.channel.arrive(self.link.transmit(batch.images, source), source)
            met = to_psr(game.rehearsed(self.path)(delta, source), arrival.signal, psr)
            logits = self._answer(arrival, met, source)
        return {"total": game.loss(logits, batch.labels, targets, delta, source)}


class _frozen:  # noqa: N801 (a context manager, used as a word)
    """Let a link answer as it will once deployed, and keep its statistics as they are."""

    def __init__(self, link: nn.Module) -> None:
        self.link = link

    def __enter__(self) -> None:
        self.training = self.link.training
        self.link.eval()

    def __exit__(self, *error: object) -> None:
        self.link.train(self.training)


@torch.no_grad()
def frame_length(link: LinkNetwork, image_shape: ImageShape) -> int:
    """Return how many samples arrive at Bob's antenna of one image.

    Example:
        >>> from semveil.link import multitask_link
        >>> frame_length(multitask_link((1, 8, 8), 10, 8, width=4), (1, 8, 8))
        4
    """
    device = next(link.parameters()).device
    with _frozen(link):
        waveform = link.transmit(torch.zeros(1, *image_shape, device=device))
    return link.channel.arrive(waveform).signal.shape[1]
