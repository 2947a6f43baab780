"""Joint training for the task and the image, with or without perturbations at Bob's antenna.

Nan et al., arXiv 2305.07220, equations (9) and (17)::

    min over Alice, Bob   E  [ CE + w_r·MSE ] (+ losses of the link itself)

where a part of every batch may be perturbed. Their reconstruction loss is called a cross-entropy of
pixels; it is the mean squared error here, as in the code they built on. Bob's classifiers of the
reconstruction and of the received latent are trained together (our reading). A Bob without a
classifier has the mean squared error alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from semveil.link import Disturb, LinkNetwork
from semveil.links.bottleneck import BottleneckConfig
from semveil.links.semantic import SemanticConfig
from semveil.recipe import Recipe
from semveil.rng import Randomness
from semveil.training.draws import draw_snr_db
from semveil.training.objective import Batch, Losses, Turn


def joint_losses(
    link: LinkNetwork,
    recipe: Recipe,
    batch: Batch,
    source: Randomness,
    disturb: Disturb | None = None,
) -> Losses:
    """Return Bob's losses on one batch."""
    snr_db = draw_snr_db(recipe, len(batch.images), source, batch.images.device)
    sent = link.exchange(batch.images, snr_db, source, disturb)
    losses, total = dict(sent.losses), batch.images.new_zeros(())
    if sent.answer.logits is not None:
        smooth = recipe.train.label_smoothing
        ce = F.cross_entropy(sent.answer.scores, batch.labels, label_smoothing=smooth)
        losses = {"bob_ce": ce, **losses}
        total = total + ce
    total = total + sum(sent.losses.values(), start=batch.images.new_zeros(()))
    if sent.direct is not None:
        direct = F.cross_entropy(sent.direct.scores, batch.labels)
        losses["bob_latent_ce"] = direct
        total = total + recipe.of(SemanticConfig).latent_weight * direct
    if sent.answer.images is not None:
        mse = F.mse_loss(sent.answer.images.float(), batch.images)
        losses["bob_mse"] = mse
        logarithmic = recipe.train.image_loss == "log-mse"
        wrong = sent.answer.log_error(batch.images).mean() if logarithmic else mse
        total = total + recipe.train.reconstruction_weight * wrong
    if sent.information is not None:
        losses["information"] = sent.information
        total = total + recipe.of(BottleneckConfig).weight * sent.information
    return {**losses, "total": total}


class Joint:
    """Training without perturbations, with one player: Alice and Bob together."""

    name = "link"

    def __init__(self, recipe: Recipe, link: LinkNetwork) -> None:
        self.link, self.recipe = link, recipe
        self.modules = nn.ModuleDict({"link": link})
        self.players: dict[str, list[nn.Parameter]] = {"link": list(link.parameters())}

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return the turn of Alice and Bob."""
        return [Turn("link", self._pair)]

    def _pair(self, batch: Batch, source: Randomness) -> dict[str, Tensor]:
        return joint_losses(self.link, self.recipe, batch, source)
