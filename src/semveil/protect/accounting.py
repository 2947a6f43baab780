"""Composition of the privacy budgets of several messages with Laplace noise."""

from __future__ import annotations

# Steps of the privacy loss per message's ε. The discretisation is pessimistic by less than one step
# per message, so the bound stays a bound.
_STEPS = 1000


def composed_epsilon(epsilon: float, messages: int, delta: float = 0.0) -> float:
    """Return the privacy budget of several messages of one person together.

    With δ = 0 this is basic composition, ``m ε``. With δ > 0 the privacy loss distribution of the
    Laplace mechanism is convolved (Koskela et al., AISTATS 2020; the library dp-accounting), and
    the smaller of both is returned. The distribution is that of one coordinate carrying the whole
    sensitivity. Spreading ``Δ = Δ₁ + Δ₂`` over two coordinates protects no less: by way of the
    input that differs in the first coordinate alone, its trade-off function lies above the
    composition ``f₂ ∘ (1 − f₁)`` (group privacy, Dong, Roth and Su, 2022), and for the Laplace
    distribution, as for every log-concave one, shifts compose to just the shift by Δ.

    Args:
        epsilon: Budget ε of each message's whole vector.
        messages: ``m`` messages with independent noise.
        delta: δ of the joint guarantee.

    Returns:
        ε of all messages together, at ``delta``.

    Raises:
        ValueError: If ε or m is not positive, or δ does not lie in [0, 1).

    Example:
        >>> composed_epsilon(0.1, 1000)
        100.0
        >>> round(composed_epsilon(0.1, 1000, delta=1e-5), 1)
        17.4
    """
    if not epsilon > 0 or messages < 1 or not 0 <= delta < 1:
        raise ValueError(f"no composition: {epsilon=}, {messages=}, {delta=}")
    basic = messages * epsilon
    if delta == 0:
        return basic
    from dp_accounting.pld import privacy_loss_distribution

    loss = privacy_loss_distribution.from_laplace_mechanism(
        1 / epsilon, value_discretization_interval=epsilon / _STEPS
    )
    return min(basic, float(loss.self_compose(messages).get_epsilon_for_delta(delta)))
