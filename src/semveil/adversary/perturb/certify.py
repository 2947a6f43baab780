"""Certified predictions: randomised smoothing by the channel's noise.

Alice repeats the waveform, and Bob gives the most frequent answer. Their noise is white
Gaussian, ``σ²/2`` per real component, so that the vote is a smoothed classifier, and the theorem
of Cohen, Rosenfeld and Kolter (arXiv 1902.02918) holds at his antenna: where one reception gives
the answer with a probability of at least ``p > 1/2``, it gives it with a probability of at least
``q`` under every perturbation with ``‖δ‖₂ ≤ (σ/√2)·(Φ⁻¹(p) − Φ⁻¹(q))``. The theorem's radius has
``q = 1/2``, which holds for infinitely many votes. A vote of ``N`` receptions needs more:
``q ≈ 1/2 + z/(2√N)``, with which the majority is right up to a stated error (:func:`majority`).

The certificate covers every perturbation of the waveform as it arrives, pilots and prefix included,
by an attacker of any knowledge: white-box, knowing image, fading and key. Bob's receiver may be
anything; its channel estimate is part of it. The certificate assumes that

- δ is the same in every repetition and does not depend on the noise;
- fading is the same in every repetition (block fading), and Mallory cannot change CSI that is
  stated to be perfect;
- the noise is at the stated SNR, attack or not, and independent between repetitions.

The price is one transmission per vote in place of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semveil import phy
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.channel import Arrival
from semveil.metrics import Estimate, wilson
from semveil.phy.broadcast import squared_magnitude
from semveil.rng import Randomness

_AT_ONCE = 4096


@dataclass(frozen=True)
class Certificate:
    """Certificates of the images of a batch.

    Attributes:
        answers: The vote, int64 ``[B]``; −1 where it was too close to certify anything.
        right: Whether it is the true class, bool ``[B]``.
        radius: Norm ``‖δ‖₂`` up to which a vote of as many receptions as bounded it stands, float
            ``[B]``; 0 where it is wrong.
        psr_db: The same over the signal that arrives, dB ``[B]``; −inf where it is 0.
        transmissions: How often each image was sent.
    """

    answers: Tensor
    right: Tensor
    radius: Tensor
    psr_db: Tensor
    transmissions: int

    def accuracy(self, psr_db: float) -> Estimate:
        """Return the share of images whose right answer no perturbation of a PSR can change.

        Args:
            psr_db: Budget, dB; ``-inf`` for the accuracy of the vote without an attack.

        Returns:
            The share with Wilson's interval, which is over images; every certificate holds with
            the confidence that it was made for.

        Example:
            >>> right = torch.tensor([True, True, False])
            >>> some = Certificate(torch.zeros(3), right, torch.tensor([1.0, 0.5, 0.0]),
            ...                    torch.tensor([-6.0, -12.0, -torch.inf]), 100)
            >>> round(some.accuracy(-10.0).value, 3), round(some.accuracy(-20.0).value, 3)
            (0.333, 0.667)
        """
        held = self.right & (self.psr_db > psr_db)
        return wilson(int(held.sum()), len(held))


def lower_bound(hits: Tensor, votes: int, confidence: float = 0.999) -> Tensor:
    """Return the one-sided lower Clopper–Pearson bound of a probability.

    Args:
        hits: Successes, any shape.
        votes: Trials.
        confidence: Probability that the bound is below the truth, at least.

    Returns:
        Bound, float64, the shape of ``hits``.

    Example:
        >>> lower_bound(torch.tensor([0, 100]), 100).tolist() == [0.0, 0.001 ** 0.01]
        True
    """
    from scipy.stats import beta

    known = hits.cpu().double()
    # No success at all leaves no bound; scipy gives nan.
    bound = beta.ppf(1 - confidence, known.clamp(min=1).numpy(), (votes - known + 1).numpy())
    return torch.where(known > 0, torch.as_tensor(bound), 0.0).to(hits.device)


def majority(votes: int, confidence: float) -> float:
    """Return how often one reception must be right so that most of several are.

    The exact binomial form of ``1/2 + z/(2√N)``.

    Args:
        votes: Receptions, ``N``.
        confidence: Probability that more than half of them are right.

    Returns:
        The probability ``q`` with ``P(Bin(N, q) > N/2) = confidence``.

    Example:
        >>> round(majority(1, 0.9), 3), round(majority(1000, 0.9995), 3)
        (0.9, 0.552)
    """
    from scipy.stats import beta

    half = votes // 2
    return float(beta.ppf(confidence, half + 1, votes - half))


@torch.no_grad()
def count_votes(
    victim: Victim,
    incoming: IncomingBatch,
    votes: int,
    source: Randomness = None,
    injected: Tensor | None = None,
) -> Tensor:
    """Count Bob's answers to repeated transmissions, fresh noise in each.

    Args:
        victim: The link.
        incoming: What arrives; its fading holds for all repetitions.
        votes: How many of them.
        source: Source of the noise.
        injected: What arrives on top of each of them, complex ``[B, T]``.

    Returns:
        Votes for every class, int64 ``[B, classes]``; rows sum to ``votes``.
    """
    batch = len(incoming.labels)
    counts = torch.zeros(batch, victim.classes, dtype=torch.long, device=incoming.labels.device)
    rounds = torch.arange(votes).split(max(1, _AT_ONCE // batch))
    for some in rounds:
        rows = torch.arange(batch, device=counts.device).repeat(len(some))
        arrival = Arrival(incoming.arrival.signal[rows], incoming.arrival.fading[rows])
        beside = None if injected is None else injected[rows]
        heard = victim.channel.hear(arrival, victim.snr_db, generator=source, injected=beside)
        answers = victim.receive(heard, incoming.messages[rows]).scores.argmax(1)
        counts.view(-1).index_add_(0, rows * victim.classes + answers, torch.ones_like(answers))
    return counts


def certify(
    victim: Victim,
    incoming: IncomingBatch,
    source: Randomness = None,
    votes: int = 1000,
    selection: int = 100,
    confidence: float = 0.999,
) -> Certificate:
    """Vote over repetitions, and certify the answers, image by image.

    The first votes choose the class, and further ones bound its probability, so that the choice
    does not bias the bound. A vote of ``votes`` receptions under an attack within the radius is
    right, except with a probability of at most ``1 − confidence``: half of it for a bound above
    the truth, half for a minority of right answers among the attacked receptions.

    Args:
        victim: The link.
        incoming: What arrives at his antenna.
        source: Source of the noise.
        votes: Repetitions that bound the probability, and that a vote under attack has; the
            largest certifiable radius grows with them.
        selection: Repetitions that choose the class.
        confidence: Probability that the vote under an attack within an image's radius is right,
            at least.

    Example:
        >>> from semveil.channel import Channel
        >>> from semveil.link import Answer
        >>> send = lambda images, source, messages: torch.view_as_complex(images)
        >>> victim = Victim(send, lambda heard, _: Answer(torch.view_as_real(heard.symbols)[:, 0]),
        ...                 Channel("awgn"), 0.0, 2)
        >>> incoming = victim.send(torch.tensor([[[2.0, 0.0]]]), torch.tensor([0]))
        >>> found = certify(victim, incoming, torch.Generator().manual_seed(0))
        >>> # Half the distance of the reals, 2/√2, decides.
        >>> 1.1 < float(found.radius) < 2**0.5
        True
    """
    from scipy.special import ndtri

    chosen = count_votes(victim, incoming, selection, source).argmax(1)
    hits = count_votes(victim, incoming, votes, source).gather(1, chosen.unsqueeze(1)).squeeze(1)
    each = (1 + confidence) / 2
    bound, needed = lower_bound(hits, votes, each), majority(votes, each)
    sure = bound > needed
    right = sure & (chosen == incoming.labels)
    deviation = float(phy.snr_to_noise_variance(victim.snr_db) / 2) ** 0.5
    quantile = torch.as_tensor(ndtri(bound.cpu().numpy())).to(bound.device)
    radius = torch.where(right, deviation * (quantile - float(ndtri(needed))), 0.0)
    signal = squared_magnitude(incoming.arrival.signal).sum(1)
    psr_db = 10 * torch.log10(radius.square() / signal)
    answers = torch.where(sure, chosen, -1)
    return Certificate(answers, right, radius.float(), psr_db.float(), votes + selection)
