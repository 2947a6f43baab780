"""Broadcasting a setting, one number or one per image, over a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def per_image(value: Tensor | float, batch: Tensor, name: str = "value") -> Tensor:
    """Reshape a setting so that it broadcasts over all dimensions of a batch but the first.

    One number stays a zero-dimensional tensor, which combines with a batch on any device without
    a copy; one per image, ``[B]``, becomes ``[B, 1, ..., 1]``.

    Raises:
        ValueError: If there is neither one value nor one per image.
    """
    value = torch.as_tensor(value)
    if value.numel() == 1:
        return value.reshape(())
    if value.shape != batch.shape[:1]:
        raise ValueError(
            f"{name} of shape {list(value.shape)} is neither one value nor one for each of "
            f"{batch.shape[0]} images"
        )
    return value.reshape(-1, *[1] * (batch.ndim - 1))


def squared_magnitude(z: Tensor) -> Tensor:
    """Return ``|z|²`` with a gradient that is finite at zero, where that of ``abs`` is not."""
    if not z.is_complex():
        return z.square()
    return torch.view_as_real(z.resolve_conj()).square().sum(-1)
