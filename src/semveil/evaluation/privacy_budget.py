"""The privacy budget of noise on the features: its guarantee, and a lower bound by attack."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from semveil.evaluation.recorder import Recorder
from semveil.metrics import Estimate
from semveil.protect.accounting import composed_epsilon
from semveil.protect.dp_audit import empirical_epsilon
from semveil.protect.dp_guarantees import dp_guarantees
from semveil.protect.laplace import Laplace
from semveil.records import Record
from semveil.rng import generator

_DRAWS = 40_000
_DELTA = 1e-5
_MESSAGES = 1000


def _worst_pair(noise: Laplace) -> tuple[Tensor, Tensor]:
    """Return two feature vectors as far apart in ℓ1 as any two images' can be."""
    far = torch.zeros(noise.dim)
    if noise.fixed_gain:
        # All of the sensitivity in one coordinate, where an attack finds it most easily.
        far[0] = noise.sensitivity
    else:
        far += 1.0
    return far, -far


def privacy_budget(case: Recorder) -> Iterator[Record]:
    """Yield the privacy budget of a system with Laplace noise on its features, if it has any.

    ``epsilon_vector``: ε of the whole vector of one message; ``epsilon_lower``: what a
    distinguishing attack on the worst pair of inputs proves it to be at least, at 95 %;
    ``epsilon_composed_1000``: of a thousand messages, numerically composed at δ = 1e-5;
    ``epsilon_channel``: what the channel's noise at Eve gives by itself at δ = 1e-5, per Eve
    SNR; ``feature_snr_db``: mean energy of features over that of the noise.
    """
    noise = case.system.mechanism
    if not isinstance(noise, Laplace):
        return

    def exact(metric: str, value: float, n: int = 1, **fields: float) -> Record:
        return case.record("system", metric, Estimate(value, value, value, n), **fields)

    yield exact("epsilon_vector", noise.vector_epsilon)
    yield exact("feature_snr_db", noise.feature_snr_db)
    yield exact(
        f"epsilon_composed_{_MESSAGES}",
        composed_epsilon(noise.vector_epsilon, _MESSAGES, _DELTA),
    )
    source = generator(case.setting.seed, "distinguish", device=case.test.device)
    here, there = (part.to(case.test.device) for part in _worst_pair(noise))

    def mechanism(features: Tensor, draws: torch.Generator) -> Tensor:
        return noise(features, draws)

    found = empirical_epsilon(mechanism, here, there, _DRAWS, source)
    yield case.record(
        "system",
        "epsilon_lower",
        Estimate(found, found, math.nan, _DRAWS),
        adversary="distinguisher",
    )
    if case.system.digital:
        # The distance of symbols is the constellation's, whatever the noise on the tokens.
        return
    for snr_db in case.setting.eve_snrs_db:
        for claim in dp_guarantees(noise, snr_db, delta=_DELTA):
            if claim["name"] == f"channel {case.setting.eve.fading}":
                yield exact("epsilon_channel", claim["epsilon"], test_snr_db=snr_db)
