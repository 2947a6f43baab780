"""Modulation and demodulation of a batch, against the loop over symbols of public code."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.agreement import require
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil.device import one_thread
from semveil.phy.noise import awgn
from semveil.phy.qam import Constellation
from semveil.rng import generator

_ORDER, _SYMBOLS, _SNR_DB = 16, 64, 12.0
_QAM = Constellation("qam", _ORDER)


def ours(bits: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Modulate bits uint8 ``[B, n·m]``, add noise complex ``[B, n]``, decide.

    Returns:
        Symbols sent, complex ``[B, n]``, and bits decided, uint8 ``[B, n·m]``.
    """
    symbols = _QAM.modulate(bits)
    return symbols, _QAM.hard(symbols + noise)


def loop(
    bits: NDArray[np.uint8], noise: NDArray[np.complex64], points: NDArray[np.complex64]
) -> tuple[NDArray[np.complex64], NDArray[np.uint8]]:
    """Do the same symbol by symbol, in NumPy: its calls on a few numbers are faster than torch's.

    Args:
        bits: ``[B, n·m]``.
        noise: ``[B, n]``.
        points: Point of every label, ``[M]``.

    Returns:
        As :func:`ours`.
    """
    m = _QAM.bits_per_symbol
    weights = 2 ** np.arange(m - 1, -1, -1)
    labels = np.arange(len(points))[:, None] // weights % 2
    sent, decided = np.empty_like(noise), np.empty_like(bits)
    for row in range(noise.shape[0]):
        for place in range(noise.shape[1]):
            mine = slice(place * m, (place + 1) * m)
            symbol = points[bits[row, mine] @ weights]
            sent[row, place] = symbol
            distances = np.abs(points - (symbol + noise[row, place]))
            decided[row, mine] = labels[distances.argmin()]
    return sent, decided


def draw(batch: int) -> tuple[Tensor, Tensor]:
    """Return bits, uint8 ``[batch, 64·4]``, and noise at 12 dB, complex ``[batch, 64]``."""
    source = generator(0, "bits")
    bits = torch.randint(
        0, 2, (batch, _SYMBOLS * _QAM.bits_per_symbol), generator=source, dtype=torch.uint8
    )
    noise = awgn(torch.zeros(batch, _SYMBOLS, dtype=torch.complex64), _SNR_DB, generator=source)
    return bits, noise


def require_same_decisions(batch: int = 64) -> None:
    """Raise :class:`DisagreementError` unless both sides send the same points and bits."""
    bits, noise = draw(batch)
    sent, decided = ours(bits, noise)
    expected, wanted = map(
        torch.from_numpy, loop(bits.numpy(), noise.numpy(), _QAM.points().numpy())
    )
    require("16-QAM symbols", sent, expected)
    require("16-QAM decisions", decided.float(), wanted.float(), tolerance=0.0)


@one_thread()
def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Time both on the same batch."""
    require_same_decisions()
    bits, noise = draw(16 if quick else 256)
    plain = bits.numpy(), noise.numpy(), _QAM.points().numpy()
    symbols = noise.numel()
    return alternate(
        Work("loop over 16-QAM symbols, per symbol", lambda: loop(*plain), symbols),
        Work("16-QAM, per symbol", lambda: ours(bits, noise), symbols, repeats=10),
        5 if quick else 21,
        on_round,
    )


RATIOS = {
    "qam_vs_loop": Ratio(
        title="16-QAM, modulation and hard decisions, against a loop over symbols",
        target=(">=", 10.0),
        measure=measure,
    ),
}
