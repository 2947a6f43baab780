"""An eavesdropper who applies Bayes' rule, with her own images as the prior."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Observations, Progress
from semveil.adversary.eavesdrop.inference import WideInference, Width
from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.channel import Reception
from semveil.nets.convolutional import ImageShape
from semveil.rng import generator
from semveil.section import Section

# She hears her own images so often that no noise is left.
_CLEAN_DB = 80.0
# Her images are sent so many times, moved anew, and so many floats are compared at most at once.
_SENDINGS, _AT_ONCE = 4, 1 << 21
_MISMATCHES = (0.03, 0.1, 0.3, 1.0, 3.0)
_WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.7, 1.0)
_CHOSEN_ON = 2000
# The probability that no image of hers tells the class.
_DOUBT = 1e-3


def posterior(features: Tensor, sent: Tensor, mismatch: float) -> Tensor:
    """Return the probability that each of some waveforms was sent, where each is as likely.

    Args:
        features: Features of receptions, float ``[B, 2k + 1]``.
        sent: Waveforms as reals, float ``[M, 2k]``.
        mismatch: Variance per symbol between the image that was sent and the nearest one.

    Returns:
        float ``[B, M]``; rows add up to one.

    Example:
        >>> heard = torch.tensor([[0.5, 0.0, 0.5]])
        >>> posterior(heard, torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), mismatch=0.0)
        tensor([[0.9820, 0.0180]])
    """
    reliability = features[:, -1:].clamp(1e-6, 1 - 1e-6)
    # −‖y − h·z‖² / (σ² + mismatch·|h|²), over |h|² + σ² and without what is the same for all.
    likelihood = 2 * features[:, :-1] @ sent.T - reliability * sent.square().sum(1)
    return (likelihood / (1 - reliability + mismatch * reliability)).softmax(1)


@EAVESDROPPERS.register
class BayesInference(Eavesdropper):
    """The posterior of the label by the likelihoods of her images' waveforms, and a network's.

    Her images are the prior, as they are and moved. The answer is the geometric mean with the
    posterior of the wide network. Their weights, and how far the
    image that was sent may be from the nearest of hers, are chosen on validation images, for each
    SNR.

    Example:
        >>> BayesInference(width=256).target
        'label'
    """

    name = "inference/bayes"
    description = "infers the label by Bayes' rule over her own images, and by a wide network"
    source = "the project's own; a kernel estimate of the posterior"

    class Config(Section):
        """Settings of an eavesdropper who uses Bayes' rule.

        Attributes:
            width: Units of a hidden layer of the wide network.
        """

        width: Width = 512

    config: Config
    wide: WideInference
    sent: Tensor | None = None
    classes: Tensor

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the wide network."""
        return WideInference(width=self.config.width).network(inputs, classes, image_shape)

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train the wide network, unless it was trained already, and hear all her images."""
        self.wide = WideInference(width=self.config.width)
        self.wide.fit(given, progress)
        self.converged = self.wide.converged
        training, validation, device = given.training, given.validation, given.training.device
        sendings = [training]
        for number in range(1, _SENDINGS):
            again = training.resent(number, given.shift)
            sendings += [again] if again is not training else []
        rows, heard = torch.arange(len(training), device=device), []
        for number, sending in enumerate(sendings):
            source = generator(given.seed, *self.scope, "sending", number, device=device)
            features = sending.receive(rows, _CLEAN_DB, source).features()
            heard.append(features[:, :-1] / features[:, -1:])
        self.sent = torch.cat(heard)
        labels = torch.cat([sending.labels for sending in sendings])
        self.classes = F.one_hot(labels, given.classes).float()
        self.chosen = {
            snr_db: self._choose(validation, snr_db, given.seed) for snr_db in given.snrs_db
        }

    @torch.no_grad()
    def _choose(self, validation: Intercepts, snr_db: float, seed: int) -> tuple[float, float]:
        """Return the mismatch and the weight of the likelihoods at which she infers best."""
        rows = torch.arange(min(_CHOSEN_ON, len(validation)), device=validation.device)
        source = generator(seed, *self.scope, "validation", str(snr_db), device=validation.device)
        reception, labels = validation.receive(rows, snr_db, source), validation.labels[rows]
        network = self.wide.listen(reception, snr_db)
        found = {
            (mismatch, weight): float(F.cross_entropy(_mean(network, own, weight), labels))
            for mismatch in _MISMATCHES
            for own in [self._log_posterior(reception, mismatch)]
            for weight in _WEIGHTS
        }
        return min(found, key=lambda choice: found[choice])

    @torch.no_grad()
    def listen(self, reception: Reception, snr_db: float) -> Tensor:
        """Return the logarithm of the posterior, not normalised; see :class:`Eavesdropper`."""
        if self.sent is None:
            raise ValueError(f"{self.name} is trained before she listens")
        mismatch, weight = self.chosen[snr_db]
        own = self._log_posterior(reception, mismatch)
        return _mean(self.wide.listen(reception, snr_db), own, weight)

    def _log_posterior(self, reception: Reception, mismatch: float) -> Tensor:
        """Return the logarithm of the posterior of the classes by her images alone."""
        assert self.sent is not None
        parts = reception.features().split(max(1, _AT_ONCE // len(self.sent)))
        found = [posterior(part, self.sent, mismatch) @ self.classes for part in parts]
        return (torch.cat(found) + _DOUBT).log()


def _mean(network: Tensor, own: Tensor, weight: float) -> Tensor:
    return (1 - weight) * network.log_softmax(1) + weight * own
