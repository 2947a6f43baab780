"""Faster is worth nothing if it is not the same: both sides of a ratio compute one result."""

from __future__ import annotations

from torch import Tensor


class DisagreementError(Exception):
    """Two computations of the same thing differ."""


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """Return ``‖ours − theirs‖ / ‖theirs‖``.

    Args:
        ours: Real or complex, any shape.
        theirs: The same shape.

    Example:
        >>> import torch
        >>> round(relative_error(torch.tensor([1.1, 0.0]), torch.tensor([1.0, 0.0])), 4)
        0.1
    """
    return float((ours - theirs).detach().norm() / theirs.detach().norm())


def require(what: str, ours: Tensor, theirs: Tensor, tolerance: float = 1e-4) -> None:
    """Raise if two results differ by more than float32 rounding explains.

    Args:
        what: What was computed, for the message.
        ours: Real or complex, any shape.
        theirs: The same shape.
        tolerance: Largest relative error.

    Raises:
        DisagreementError: If the relative error is larger, or is not a number.

    Example:
        >>> import torch
        >>> require("ones", torch.ones(3), torch.ones(3) + 1e-6)
    """
    error = relative_error(ours, theirs)
    if not error <= tolerance:
        raise DisagreementError(
            f"{what}: relative error {error:.1e}, where {tolerance:.0e} is allowed"
        )
