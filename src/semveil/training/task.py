"""Task-oriented training: cross-entropy, an information term, and a simulated inversion attack.

One objective with different weights serves the whole family::

    min over Alice, Bob   CE + β·information + link's own losses − λ·min(error of Eve, mean image's)
    min over Eve          error of Eve

With β = λ = 0 it is plain DeepJSCC for the task, with an Eve who does not influence it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.privacy_loss import privacy_loss
from semveil.channel import channel_of
from semveil.link import LinkNetwork
from semveil.links.bottleneck import BottleneckConfig, noise_per_real
from semveil.nets.eavesdropper import SimulatedEve
from semveil.recipe import Recipe, Section, Weight
from semveil.rng import Randomness
from semveil.training.draws import draw_snr_db
from semveil.training.objective import Batch, Losses, Turn

# An Eve without influence need not keep pace: she only has to be trained in the end.
_IDLE_EVE_STEPS = 4
# Of a large batch she hears so many images: more would cost as much as the link itself.
_HEARD = 128


class InverterConfig(Section):
    """Training against a simulated Eve who reconstructs the image.

    Attributes:
        weight: Weight of her error, bounded by the mean image's.
        form: ``static``, or ``noise``: the weight divided by 1 + σ (noise per real).
    """

    section: ClassVar[str] = "inverter"

    weight: Weight = 1.0
    form: Literal["static", "noise"] = "static"


def bounded_error(rebuilt: Tensor, images: Tensor) -> Tensor:
    """Return Eve's squared error per pixel, bounded by the mean image's, float ``[B]``.

    An unbounded error rewards misleading one outdated network; an Eve with nothing better than the
    mean image knows nothing.
    """
    error = (rebuilt.float() - images).square().flatten(1).mean(1)
    mean = (images - images.mean(0, keepdim=True)).square().flatten(1).mean(1)
    return torch.minimum(error, mean)


class TaskOriented:
    """Training of one task-oriented link with a simulated Eve who reconstructs the image."""

    name = "link"

    def __init__(
        self,
        recipe: Recipe,
        link: LinkNetwork,
        eve: SimulatedEve | None,
        bottleneck: BottleneckConfig | None = None,
        inverter: InverterConfig | None = None,
        plain_weight: float = 0.0,
        key_weight: float = 0.0,
    ) -> None:
        if eve is None:
            raise ValueError("task-oriented training needs a simulated Eve")
        self.link, self.eve = link, eve
        self.modules = nn.ModuleDict({"link": link, "eve": eve})
        self.players = {
            "eve_image": list(eve.image.parameters()),
            "link": [p for p in link.parameters() if p.requires_grad],
        }
        self.bottleneck = bottleneck or BottleneckConfig(weight=0.0)
        self.inverter = inverter or InverterConfig(weight=0.0)
        self.plain_weight, self.key_weight = plain_weight, key_weight
        self.recipe = recipe
        self.eve_channel = channel_of(recipe.eve)
        self.share = 0.0
        self.sent: Tensor | None = None

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return the players in order: Alice and Bob, then Eve; Eve rarely without influence."""
        settings = self.bottleneck
        done = step / max(1, self.recipe.train.epochs * steps_per_epoch)
        rise = max(settings.full_epochs - settings.free_epochs, 1e-9)
        self.share = min(1.0, max(0.0, (done - settings.free_epochs) / rise))
        pair = Turn("link", self._pair)
        if not self.inverter.weight and step % _IDLE_EVE_STEPS:
            return [pair]
        return [pair, Turn("eve_image", self._invert)]

    def _overhear(self, waveform: Tensor, source: Randomness) -> Tensor:
        heard = self.eve_channel(waveform, self.recipe.eve.snr_db, generator=source)
        rebuilt: Tensor = self.eve.image(heard.features())
        return rebuilt

    def _invert(self, batch: Batch, source: Randomness) -> Losses:
        # What Alice has just sent: encoding it anew would cost a third of her turn.
        assert self.sent is not None
        rebuilt = self._overhear(self.sent, source).float()
        return {"total": F.mse_loss(rebuilt, batch.images[:_HEARD])}

    def _pair(self, batch: Batch, source: Randomness) -> Losses:
        snr_db = draw_snr_db(self.recipe, len(batch.images), source, batch.images.device)
        sent = self.link.exchange(batch.encoded, snr_db, source)
        self.sent = sent.waveform[:_HEARD].detach()
        smooth = self.recipe.train.label_smoothing
        ce = F.cross_entropy(sent.answer.scores, batch.labels, label_smoothing=smooth)
        losses = {"bob_ce": ce, **sent.losses}
        total = ce + sum(sent.losses.values())
        if sent.information is not None:
            losses["information"] = sent.information
            total = total + self.bottleneck.weight * self.share * sent.information
        if sent.unprotected is not None:
            clear = F.cross_entropy(sent.unprotected.scores, batch.labels)
            losses["bob_plain_ce"] = clear
            total = total + self.plain_weight * clear
        if sent.unkeyed is not None:
            logits = sent.unkeyed.scores
            wrong = privacy_loss("clipped")(logits, batch.labels).mean()
            losses["wrong_key_loss"] = wrong
            total = total + self.key_weight * wrong
        if self.inverter.weight:
            heard = sent.waveform[:_HEARD]
            error = bounded_error(self._overhear(heard, source), batch.images[:_HEARD])
            losses["eve_error"] = error.mean()
            weight = self.inverter.weight * self._weight(snr_db, batch)
            total = total - (weight * error).mean()
        return {**losses, "total": total}

    def _weight(self, snr_db: Tensor | float, batch: Batch) -> Tensor:
        if self.inverter.form == "static":
            return torch.ones((), device=batch.images.device)
        weight = 1 / (1 + noise_per_real(snr_db).to(batch.images.device))
        return weight[:_HEARD] if weight.dim() else weight
