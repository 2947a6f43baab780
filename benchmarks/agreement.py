"""Both sides of a ratio must compute the same result."""

from __future__ import annotations

from torch import Tensor


class DisagreementError(Exception):
    """Two computations of the same thing differ."""


def require(what: str, ours: Tensor, theirs: Tensor, tolerance: float = 1e-4) -> None:
    """Raise if two results differ by more than float32 rounding explains.

    Args:
        what: What was computed, for the message.
        ours: Real or complex, any shape.
        theirs: The same shape.
        tolerance: Largest relative error ``‖ours − theirs‖ / ‖theirs‖``.

    Raises:
        DisagreementError: If the relative error is larger, or is not a number.

    Example:
        >>> import torch
        >>> require("ones", torch.ones(3), torch.ones(3) + 1e-6)
    """
    error = float((ours - theirs).detach().norm() / theirs.detach().norm())
    if not error <= tolerance:
        raise DisagreementError(f"{what}: relative error {error:.1e}; {tolerance:.0e} is allowed")
