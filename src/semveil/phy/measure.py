"""SNR and perturbation-to-signal ratio, measured from waveforms."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.broadcast import squared_magnitude


def _energy_ratio_db(over: Tensor, under: Tensor) -> Tensor:
    ratio = squared_magnitude(over).flatten(1).sum(1) / squared_magnitude(under).flatten(1).sum(1)
    return 10 * torch.log10(ratio)


def measured_snr_db(clean: Tensor, received: Tensor) -> Tensor:
    """Measure the SNR of every image, ``‖clean‖² / ‖received − clean‖²`` in dB, real ``[B]``.

    Args:
        clean: Received signal without its noise, complex ``[B, ...]``.
        received: The same with noise, ``[B, ...]``.

    Example:
        >>> clean = torch.ones(1, 4, dtype=torch.complex64)
        >>> measured_snr_db(clean, clean + 0.1j)
        tensor([20.])
    """
    return _energy_ratio_db(clean, received - clean)


def psr_db(delta: Tensor, signal: Tensor) -> Tensor:
    """Measure the perturbation-to-signal ratio of every image, ``‖δ‖² / ‖y_signal‖²`` in dB.

    Args:
        delta: Perturbation at the victim's antenna, complex ``[B, ...]``.
        signal: Signal at the victim's antenna over the whole received waveform, pilots and
            cyclic prefix included and noise excluded, complex ``[B, ...]``.

    Example:
        >>> psr_db(torch.tensor([[0.1, 0j]]), torch.tensor([[1, 0j]]))
        tensor([-20.])
    """
    return _energy_ratio_db(delta, signal)
