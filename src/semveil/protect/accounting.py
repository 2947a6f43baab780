"""Composition of the privacy budgets of several messages with Laplace noise."""

from __future__ import annotations

import math

# Steps of the privacy loss per message's ε. The discretisation is pessimistic (connect the dots),
# and with ten steps less than 0.1 % above that with a thousand.
_FINEST, _COARSEST = 1000, 10
# Beyond so many messages the distribution is not computed.
_MOST = 100_000


def composed_epsilon(epsilon: float, messages: int, delta: float = 0.0) -> float:
    """Return the privacy budget of several messages of one person together.

    With δ = 0 this is basic composition, ``m ε``. With δ > 0 it is the smallest of three bounds:

    - basic composition;
    - for up to 100,000 messages, the convolved privacy loss distribution of the Laplace mechanism
      (Koskela et al., AISTATS 2020; the library dp-accounting). Its grid is pessimistic: 1,000
      steps per ε for up to 1,000 messages, then ``10⁶/m``, ten at least;
    - advanced composition (Dwork, Rothblum, Vadhan, FOCS 2010) with the mean loss
      ``μ = ε − 1 + e^(−ε)`` of the mechanism: ``m μ + ε √(2 m ln(1/δ))``. Beyond 100,000
      messages it is the only one besides the first; there it is 13 % above the distribution's for
      ε = 0.01, 3 % for 0.1 and 1 % for 0.9 (δ = 10⁻⁵).

    The cost is thus bounded for any number of messages: below a second of one core and 100 MB.

    The distribution is that of one coordinate carrying the whole sensitivity. Spreading
    ``Δ = Δ₁ + Δ₂`` over two coordinates protects no less: by way of the input that differs in the
    first coordinate alone, its trade-off function lies above the composition ``f₂ ∘ (1 − f₁)``
    (group privacy, Dong, Roth and Su, 2022), and for the Laplace distribution, as for every
    log-concave one, shifts compose to just the shift by Δ.

    Args:
        epsilon: Budget ε of each message's whole vector.
        messages: ``m`` messages with independent noise.
        delta: δ of the joint guarantee.

    Returns:
        ε of all messages together, at ``delta``; never below the exact one.

    Raises:
        ValueError: If ε or m is not positive, or δ does not lie in [0, 1).

    Example:
        >>> composed_epsilon(0.1, 1000)
        100.0
        >>> round(composed_epsilon(0.1, 1000, delta=1e-5), 1)
        17.4
        >>> round(composed_epsilon(0.01, 10**9, delta=1e-5))
        51351
    """
    if not epsilon > 0 or messages < 1 or not 0 <= delta < 1:
        raise ValueError(f"no composition: {epsilon=}, {messages=}, {delta=}")
    basic = messages * epsilon
    if delta == 0:
        return basic
    mean = epsilon + math.expm1(-epsilon)
    advanced = messages * mean + epsilon * math.sqrt(-2 * messages * math.log(delta))
    if messages > _MOST:
        return min(basic, advanced)
    from dp_accounting.pld import privacy_loss_distribution

    steps = min(_FINEST, max(_COARSEST, 10**6 // messages))
    loss = privacy_loss_distribution.from_laplace_mechanism(
        1 / epsilon, value_discretization_interval=epsilon / steps
    )
    composed = float(loss.self_compose(messages).get_epsilon_for_delta(delta))
    return min(basic, advanced, composed)
