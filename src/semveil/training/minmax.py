"""The multi-task link and its min-max game against a simulated Eve.

Sagduyu et al., arXiv 2512.24452, formula after our reading (their body gives none we could
read)::

    min over Alice, Bob   max over Eve   w_c CE_Bob + w_r MSE_Bob + λ privacy_loss(Eve)

With ``λ = 0`` it is plain multi-task training with an Eve who learns alongside: the reference.

Where the images have private classes, Eve infers these and Bob his task: another task is then an
asymmetry between them. Without private classes Eve infers Bob's task, and there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.privacy_loss import privacy_loss
from semveil.channel import channel_of
from semveil.errors import SemveilError
from semveil.link import Answer, LinkNetwork
from semveil.nets.eavesdropper import INFERENCE, SimulatedEve
from semveil.recipe import Positive, Recipe, Section, Weight
from semveil.rng import Randomness
from semveil.training.objective import Batch, Losses, Turn


def _capacity(name: str) -> str:
    if name not in INFERENCE:
        raise ValueError(f"must be one of {', '.join(INFERENCE)}")
    return name


class MinMaxConfig(Section):
    """The min-max game against the simulated Eve.

    Attributes:
        form: Privacy loss of Alice and Bob: ``clipped`` (−CE, no further than chance),
            ``uniform`` (her posterior uniform) or ``gap`` (|CE − ln C|).
        weight: Weight of that loss beside their own tasks.
        pretrain_epochs: Epochs before the game begins; both sides learn their tasks.
        polish_epochs: Last epochs, in which only Bob's networks are trained; the simulated Eve is
            not trained any more.
        eve_steps: Eve's steps per round.
        link_steps: Alice's and Bob's steps per round.
        eve_capacity: Architecture of the simulated Eve.
        eves: Simulated Eves, each with weights of her own; Alice's loss is that of the mean of
            their posteriors.
    """

    section: ClassVar[str] = "privacy"

    form: Literal["clipped", "uniform", "gap"] = "clipped"
    weight: Weight = 0.2
    pretrain_epochs: Annotated[int, Field(ge=0)] = 2
    polish_epochs: Annotated[int, Field(ge=0)] = 2
    eve_steps: Positive = 1
    link_steps: Positive = 8
    eve_capacity: Annotated[str, AfterValidator(_capacity)] = "mlp"
    eves: Annotated[int, Field(ge=1, le=64)] = 1


def task_losses(answer: Answer, batch: Batch, smooth: float = 0.0) -> Losses:
    """Return Bob's cross-entropy and, if he reconstructs images, mean squared error, scalars."""
    ce = F.cross_entropy(answer.scores, batch.labels, label_smoothing=smooth)
    losses = {"bob_ce": ce}
    if answer.images is not None:
        losses["bob_mse"] = F.mse_loss(answer.images.float(), batch.images)
    return losses


class MinMax:
    """Iterative optimisation of the min-max problem."""

    name = "link"

    def __init__(
        self,
        recipe: Recipe,
        link: LinkNetwork,
        eve: SimulatedEve | None,
        settings: MinMaxConfig,
    ) -> None:
        if eve is None:
            raise ValueError("min-max training needs a simulated Eve")
        self.link, self.eve = link, eve
        self.modules = nn.ModuleDict({"link": link, "eve": eve})
        outside, weight = (settings.pretrain_epochs, settings.polish_epochs), settings.weight
        self.players = {
            "eve": list(eve.label.parameters()),
            "link": list(link.parameters()),
            "eve_image": list(eve.image.parameters()),
        }
        if weight and sum(outside) >= recipe.train.epochs:
            raise SemveilError(
                "privacy.pretrain_epochs: {} before the game and privacy.polish_epochs: {} after "
                "it leave none of train.epochs: {} for it".format(*outside, recipe.train.epochs)
            )
        if weight and settings.polish_epochs:
            heads = [link.classifier, *([link.reconstructor] if link.reconstructor else [])]
            self.players["bob"] = [each for head in heads for each in head.parameters()]
        self.polish_from = recipe.train.epochs - settings.polish_epochs
        self.weight = weight
        self.eve_channel = channel_of(recipe.eve)
        self.bob_snr_db, self.eve_snr_db = recipe.bob.snr_db, recipe.eve.snr_db
        self.reconstruction_weight = recipe.train.reconstruction_weight
        self.smooth = recipe.train.label_smoothing
        self.settings = settings
        self.privacy_loss = privacy_loss(settings.form)

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return the players in order: Eve at the start of every round, then Alice and Bob.

        In the last epochs only Bob is trained, for the encoder as the game left it.
        """
        if "bob" in self.players and step >= self.polish_from * steps_per_epoch:
            return [Turn("bob", self._polish)]
        playing = step >= self.settings.pretrain_epochs * steps_per_epoch
        pair = Turn("link", self._game if playing and self.weight else self._tasks)
        if step % self.settings.link_steps:
            return [pair]
        infer = [Turn("eve", self._infer)] * self.settings.eve_steps
        return [*infer, pair, Turn("eve_image", self._invert)]

    def _overhear(self, waveform: Tensor, source: Randomness) -> Tensor:
        return self.eve_channel(waveform, self.eve_snr_db, generator=source).features()

    @torch.no_grad()
    def _frozen(self, images: Tensor) -> Tensor:
        """Return what Alice sends as she is, and leave her normalisation's statistics alone."""
        self.link.encoder.eval()
        waveform = self.link.transmit(images)
        self.link.encoder.train()
        return waveform

    def _infer(self, batch: Batch, source: Randomness) -> Losses:
        heard = self._overhear(self._frozen(batch.images), source)
        # Each learns by herself: a common loss would make specialists of them.
        each = [F.cross_entropy(o.float(), batch.eve_labels) for o in self.eve.each(heard)]
        return {"total": torch.stack(each).sum()}

    def _invert(self, batch: Batch, source: Randomness) -> Losses:
        heard = self._overhear(self._frozen(batch.images), source)
        return {"total": F.mse_loss(self.eve.image(heard).float(), batch.images)}

    def _bob(self, waveform: Tensor, batch: Batch, source: Randomness) -> Losses:
        reception = self.link.channel(waveform, self.bob_snr_db, generator=source)
        losses = task_losses(self.link.decode(reception.features()), batch, self.smooth)
        total = losses["bob_ce"]
        if "bob_mse" in losses:
            total = total + self.reconstruction_weight * losses["bob_mse"]
        return {"total": total, **losses}

    def _tasks(self, batch: Batch, source: Randomness) -> Losses:
        return self._bob(self.link.transmit(batch.images), batch, source)

    def _polish(self, batch: Batch, source: Randomness) -> Losses:
        return self._bob(self._frozen(batch.images), batch, source)

    def _game(self, batch: Batch, source: Randomness) -> Losses:
        waveform = self.link.transmit(batch.images)
        losses = self._bob(waveform, batch, source)
        logits = self.eve.label(self._overhear(waveform, source)).float()
        eve = self.privacy_loss(logits, batch.eve_labels).mean()
        return {**losses, "total": losses["total"] + self.weight * eve, "eve_privacy_loss": eve}
