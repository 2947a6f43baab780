"""Adversarial training: a trained link is trained again while attacks perturb what Bob receives.

Nan et al., arXiv 2305.07220, algorithm 2 (SemMixed): a part of every batch stays clean, the rest
is perturbed by one attack, drawn at random where there are several. SemAdv attacks a class drawn
afresh for every image, so that every batch serves all (theirs draws one for a batch). Their
generators' own schedule is not stated: here a generator takes a step against the link as it is,
once in ``harden.generator_steps`` steps, and perturbs the link's batches without a gradient, so
that each turn builds Bob's graph once (our reading).

Only the task is trained: a scheme's other losses (a simulated Eve, a wrong key) have no part in
adversarial training, so that the link has to be audited again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from semveil.adversary.perturb.attack import Goal, log_odds, loss_of
from semveil.adversary.perturb.attacker_channel import attacker_channel
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.adversary.perturb.generator_loss import PerturbationGenerator
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.pgm import PGM
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.perturb.semadv import SemAdv
from semveil.channel import Arrival
from semveil.errors import SemveilError
from semveil.link import Answer, LinkNetwork
from semveil.nets.convolutional import ImageShape
from semveil.recipe import Recipe
from semveil.rng import Randomness, uniform
from semveil.style import BLUE, FAINT, GREEN, ORANGE, VERMILLION, Style
from semveil.training import TRAININGS
from semveil.training.joint import joint_losses
from semveil.training.objective import Batch, Losses, Turn

Craft = Callable[[Arrival, Batch, Tensor, Randomness], Tensor]
"""What arrives, the batch, budgets in dB ``[B]``, randomness → directions, complex ``[B, T]``."""


class AdversarialTraining:
    """What a link is trained against, chosen by ``harden.method``.

    Attributes:
        name: Its name in recipes, on the command line and in records.
        description: One line on what it does.
        source: Who published it, or that it is the project's own.
        style: How it is drawn.
        needs_gradient: Whether Bob's answer must have a gradient.
        generators: Attacks whose generators are trained beside the link; one of them perturbs
            each batch.
        psr_db: Highest PSR in training, dB, unless ``harden.psr_db`` is set.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    source: ClassVar[str]
    style: ClassVar[Style] = Style()
    needs_gradient: ClassVar[bool] = True
    generators: ClassVar[tuple[type[GeneratorAttack], ...]] = ()
    psr_db: ClassVar[float] = -2.0


@TRAININGS.register
class NoiseTraining(AdversarialTraining):
    """The control: Gaussian noise of the budget."""

    name = "noise"
    description = "Gaussian noise of the perturbation's power on a part of every batch"
    source = "the project's own control"
    style = Style(FAINT, "v", 20)
    needs_gradient = False


@TRAININGS.register
class PgdTraining(AdversarialTraining):
    """Training against PGD."""

    name = "at-pgd"
    description = "adversarial training against PGD"
    source = "Madry et al., arXiv 1706.06083"
    style = Style(BLUE, "^", 30)
    # Above it PGD leaves hardly an answer right, and there is little to learn.
    psr_db = -16.0


@TRAININGS.register
class PgmTraining(AdversarialTraining):
    """Training against PGM."""

    name = "at-pgm"
    description = "adversarial training against PGM"
    source = "Nan et al., arXiv 2305.07220"
    style = Style(ORANGE, "s", 40)
    generators = (PGM,)


@TRAININGS.register
class SemAdvTraining(AdversarialTraining):
    """Training against SemAdv."""

    name = "at-semadv"
    description = "adversarial training against SemAdv with random source classes"
    source = "Nan et al., arXiv 2305.07220"
    style = Style(VERMILLION, "o", 50)
    generators = (SemAdv,)


@TRAININGS.register
class SemMixed(AdversarialTraining):
    """Training against PGM and SemAdv, one drawn at random for each batch."""

    name = "semmixed"
    description = "adversarial training against PGM or SemAdv, drawn at random"
    source = "Nan et al., arXiv 2305.07220"
    style = Style(GREEN, "D", 60)
    generators = (PGM, SemAdv)


def rows_of(arrival: Arrival, rows: slice) -> Arrival:
    """Return some images' part of what arrives."""
    return Arrival(arrival.signal[rows], arrival.fading[rows])


class Robust:
    """Players: the link, and the generators that it is trained against."""

    def __init__(
        self, recipe: Recipe, link: LinkNetwork, image_shape: ImageShape, classes: int, name: str
    ) -> None:
        self.name, self.link, self.recipe = name, link, recipe
        self.settings = recipe.harden
        method = TRAININGS.get(self.settings.method, "harden.method")
        chosen = self.settings.psr_db
        self.psr_db = method.psr_db if chosen is None else chosen
        if method.needs_gradient and link.encrypts:
            # Gradients would be those of a receiver that decrypts nothing.
            raise SemveilError(
                f"harden.method: {method.name} needs what Bob receives to be what he reads, and "
                "this link decrypts in between; use noise"
            )
        labelled = [attack.name for attack in method.generators if attack.needs_labels]
        if labelled and not link.classifies:
            raise SemveilError(
                f"harden.method: {method.name} trains against {labelled[0]}, which needs a "
                "receiver that classifies; use noise, at-pgd or at-pgm"
            )
        if method.needs_gradient and not link.differentiable:
            raise SemveilError(f"harden.method: {method.name} needs a receiver with a gradient")
        self.attacker_channel = attacker_channel(recipe.attack.mallory)
        self.generators = nn.ModuleDict()
        for attack in method.generators:
            length = frame_length(link, image_shape)
            self.generators[attack.name] = attack.kind(
                recipe.of(attack.Config), Goal(), length, classes
            )
        self.crafts: dict[str, Craft] = {
            kind: partial(self._generated, kind) for kind in self.generators
        }
        if not self.crafts:
            self.crafts = {method.name: self._pgd if method.needs_gradient else self._noise}
        self.modules = nn.ModuleDict({"link": link, "generators": self.generators})
        self.players: dict[str, list[nn.Parameter]] = {
            "link": [p for p in link.parameters() if p.requires_grad]
        }
        for kind in self.generators:
            for player, parameters in self._generator(kind).players().items():
                self.players[f"{kind}_{player}"] = parameters

    def _generator(self, kind: str) -> PerturbationGenerator:
        found = self.generators[kind]
        assert isinstance(found, PerturbationGenerator)
        return found

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return whose turn it is: the generators once in several steps, then Alice and Bob."""
        pair = Turn("link", self._pair)
        if step % self.settings.generator_steps:
            return [pair]
        moves = [
            Turn(f"{kind}_{part}", partial(self._move, kind, part))
            for kind in self.generators
            for part in self._generator(kind).players()
        ]
        return [*moves, pair]

    def _budgets(self, count: int, source: Randomness, device: torch.device) -> Tensor:
        # One draw per batch: an attacker's budget does not change from image to image.
        draw = uniform((count,), device=device, generator=source)[:1]
        return (self.psr_db - self.settings.span_db * draw).expand(count)

    def _arriving(self, delta: Tensor, arrival: Arrival, psr: Tensor, source: Randomness) -> Tensor:
        return to_psr(self.attacker_channel(delta, source), arrival.signal, psr)

    def _pair(self, batch: Batch, source: Randomness) -> Losses:
        clean = round(self.settings.clean * len(batch.images))
        names = list(self.crafts)
        draw = uniform((len(batch.images),), device=batch.images.device, generator=source)[0]
        craft = self.crafts[names[min(int(draw * len(names)), len(names) - 1)]]

        def perturb(arrival: Arrival) -> Tensor:
            rows = slice(clean, None)
            attacked = Batch(batch.images[rows], batch.labels[rows])
            incoming = rows_of(arrival, rows)
            psr = self._budgets(len(attacked.images), source, attacked.images.device)
            delta = craft(incoming, attacked, psr, source)
            arriving = self._arriving(delta, incoming, psr, source).detach()
            return torch.cat([torch.zeros_like(arrival.signal[:clean]), arriving])

        return joint_losses(self.link, self.recipe, batch, source, perturb)

    def _noise(self, arrival: Arrival, batch: Batch, psr: Tensor, source: Randomness) -> Tensor:
        return jamming(arrival.signal, psr, generator=source)

    @torch.no_grad()
    def _generated(
        self, kind: str, arrival: Arrival, batch: Batch, psr: Tensor, source: Randomness
    ) -> Tensor:
        model = self._generator(kind)
        return model.draw(len(psr), psr, source, model.source_classes(batch.labels, source))

    def _pgd(self, arrival: Arrival, batch: Batch, psr: Tensor, source: Randomness) -> Tensor:
        arrival = Arrival(arrival.signal.detach(), arrival.fading)

        def loss(delta: Tensor, step: int) -> Tensor:
            answer = self._answer(arrival, self._arriving(delta, arrival, psr, source), source)
            return loss_of(answer, batch, log_odds)

        with _frozen(self.link):
            return descend(arrival.signal, loss, psr, self.settings.steps)

    def _answer(self, arrival: Arrival, injected: Tensor, source: Randomness) -> Answer:
        heard = self.link.channel.hear(
            arrival, self.recipe.bob.snr_db, generator=source, injected=injected
        )
        return self.link.receive(heard)

    def _move(self, kind: str, part: str, batch: Batch, source: Randomness) -> Losses:
        model = self._generator(kind)
        classes = model.source_classes(batch.labels, source)
        psr = self._budgets(len(batch.labels), source, batch.labels.device)
        if part == "discriminator":
            with torch.no_grad():
                delta = model.draw(len(psr), psr, source, classes)
            return {"total": model.discriminator_loss(delta, source)}
        delta = model.draw(len(psr), psr, source, classes)
        with _frozen(self.link):
            with torch.no_grad():
                arrival = self.link.channel.arrive(self.link.transmit(batch.images, source), source)
            channel = model.training_channel(self.attacker_channel)
            injected = to_psr(channel(delta, source), arrival.signal, psr)
            answer = self._answer(arrival, injected, source)
        return {"total": model.loss(answer, batch, classes, delta, source)}


class _frozen:  # noqa: N801 (a context manager)
    """Keeps a link in evaluation mode and its statistics as they are."""

    def __init__(self, link: nn.Module) -> None:
        self.link = link

    def __enter__(self) -> None:
        self.training = self.link.training
        self.link.eval()

    def __exit__(self, *error: object) -> None:
        self.link.train(self.training)


@torch.no_grad()
def frame_length(link: LinkNetwork, image_shape: ImageShape) -> int:
    """Return how many samples arrive at Bob's antenna of one image."""
    device = next(link.parameters()).device
    with _frozen(link):
        waveform = link.transmit(torch.zeros(1, *image_shape, device=device))
    return link.channel.arrive(waveform).signal.shape[1]
