"""OFDM over multipath with gradients: the time of Sionna's generic blocks over that of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.agreement import require
from benchmarks.timing import MissingExtraError, OnRound, Ratio, Rounds, Work, alternate
from semveil.device import one_thread
from semveil.phy import (
    OFDM,
    convolve,
    exponential_profile,
    multipath_taps,
    snr_to_noise_variance,
)
from semveil.rng import generator, normal

SYMBOLS, SUBCARRIERS, PREFIX, TAPS = 6, 64, 16, 8
_FRAME = OFDM(SUBCARRIERS, PREFIX, n_pilot_symbols=1)


def _ascending(symbols: Tensor) -> Tensor:
    """Reorder subcarriers as Sionna numbers them: ascending frequency, not FFT order."""
    return torch.fft.fftshift(symbols, dim=-1)


@dataclass(frozen=True)
class Frames:
    """What both sides are given.

    Attributes:
        data: Data symbols, complex ``[B, 6, 64]``.
        taps: Channel taps, complex ``[B, 8]``.
        noise: Noise on the received waveform, complex ``[B, T + 7]``.
        noise_variance: Its variance per symbol, real ``[]``.
        gradient: Gradient at the equalised symbols, complex ``[B, 6, 64]``.
    """

    data: Tensor
    taps: Tensor
    noise: Tensor
    noise_variance: Tensor
    gradient: Tensor


def draw_frames(batch: int, snr_db: float = 20.0) -> Frames:
    """Draw symbols, an exponential channel within the prefix, noise and gradients."""
    source = generator(0, "frames")
    variance = snr_to_noise_variance(snr_db)

    def draw(*shape: int) -> Tensor:
        return normal((batch, *shape), dtype=torch.complex64, generator=source)

    return Frames(
        draw(SYMBOLS, SUBCARRIERS),
        multipath_taps(batch, exponential_profile(TAPS, 4.0), generator=source),
        variance.sqrt() * draw(_FRAME.frame_length(SYMBOLS) + TAPS - 1),
        variance,
        draw(SYMBOLS, SUBCARRIERS),
    )


class OurChain:
    """Frame, waveform, multipath, noise, LS estimate, MMSE equaliser of this toolkit."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.data = frames.data.clone().requires_grad_()

    def symbols_and_gradient(self) -> tuple[Tensor, Tensor]:
        """Return equalised symbols and the gradient at the data, complex ``[B, 6, 64]`` each."""
        frames = self.frames
        received = convolve(_FRAME.transmit(self.data), frames.taps) + frames.noise
        symbols = _FRAME.receive(received, SYMBOLS, frames.noise_variance).symbols
        (gradient,) = torch.autograd.grad(symbols, self.data, frames.gradient)
        return symbols.detach(), gradient


class SionnaChain:
    """The same of Sionna's blocks: one stream, one antenna.

    The resource grid, the taps for every sample, and symbols and gradients in Sionna's order of
    subcarriers are prepared beforehand.

    Raises:
        MissingExtraError: If Sionna is not installed.
    """

    def __init__(self, frames: Frames) -> None:
        try:
            from sionna.phy.channel import ApplyTimeChannel
            from sionna.phy.mimo import StreamManagement
            from sionna.phy.ofdm import (
                LMMSEEqualizer,
                LSChannelEstimator,
                OFDMDemodulator,
                OFDMModulator,
                PilotPattern,
                ResourceGrid,
                ResourceGridMapper,
            )
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != "sionna":
                raise
            raise MissingExtraError("sionna-no-rt", "test") from None
        batch = len(frames.data)
        mask = np.zeros([1, 1, SYMBOLS + 1, SUBCARRIERS])
        mask[..., 0, :] = 1
        pilots = _ascending(_FRAME.pilots()).reshape(1, 1, SUBCARRIERS)
        grid = ResourceGrid(
            SYMBOLS + 1,
            SUBCARRIERS,
            15e3,
            cyclic_prefix_length=PREFIX,
            pilot_pattern=PilotPattern(mask, pilots),
            device="cpu",
        )
        samples = _FRAME.frame_length(SYMBOLS)
        self.mapper = ResourceGridMapper(grid, device="cpu")
        self.modulator = OFDMModulator(PREFIX, device="cpu")
        self.channel = ApplyTimeChannel(samples, TAPS, device="cpu")
        self.demodulator = OFDMDemodulator(SUBCARRIERS, 0, PREFIX, device="cpu")
        self.estimator = LSChannelEstimator(grid, interpolation_type="nn", device="cpu")
        streams = StreamManagement(np.ones([1, 1]), 1)
        # Whitening makes no difference to one stream without interference, but takes time.
        self.equaliser = LMMSEEqualizer(grid, streams, whiten_interference=False, device="cpu")
        self.noise_variance = frames.noise_variance
        self.noise = frames.noise.reshape(batch, 1, 1, -1)
        taps = frames.taps.reshape(batch, 1, 1, 1, 1, 1, TAPS)
        self.taps = taps.expand(-1, -1, -1, -1, -1, samples + TAPS - 1, -1).contiguous()
        self.data = _ascending(frames.data).reshape(batch, 1, 1, -1).requires_grad_()
        self.gradient = _ascending(frames.gradient).reshape(batch, 1, 1, -1)

    def symbols_and_gradient(self) -> tuple[Tensor, Tensor]:
        """Return equalised symbols and the gradient at the data, in Sionna's own form."""
        symbols, _ = self._equalise()
        (gradient,) = torch.autograd.grad(symbols, self.data, self.gradient)
        return symbols.detach(), gradient

    def comparable(self) -> tuple[Tensor, Tensor]:
        """Return the same in this toolkit's form, complex ``[B, 6, 64]`` each.

        Sionna scales the MMSE estimate to be unbiased and returns the noise variance ``v`` that
        results; the estimate of least mean squared error is ``1/(1 + v)`` of it.
        """
        symbols, variance = self._equalise()
        symbols = symbols / (1 + variance)
        (gradient,) = torch.autograd.grad(symbols, self.data, self.gradient)
        shape = (len(symbols), SYMBOLS, SUBCARRIERS)
        ours = (torch.fft.ifftshift(x.detach().reshape(shape), dim=-1) for x in (symbols, gradient))
        symbols, gradient = ours
        return symbols, gradient

    def _equalise(self) -> tuple[Tensor, Tensor]:
        received = self.channel(self.modulator(self.mapper(self.data)), self.taps) + self.noise
        grid = self.demodulator(received)
        estimate, error = self.estimator(grid, self.noise_variance)
        return self.equaliser(grid, estimate, error, self.noise_variance)


def require_same_results(ours: OurChain, theirs: SionnaChain) -> None:
    """Raise :class:`DisagreementError` unless symbols and gradients of both chains agree."""
    what = "equalised symbols", "gradients at the data symbols"
    results = zip(what, ours.symbols_and_gradient(), theirs.comparable(), strict=True)
    for name, mine, other in results:
        require(f"{name}, against Sionna", mine, other)


@one_thread()
def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Time both chains, forward and backward, on the same frames."""
    frames = draw_frames(256)
    ours, theirs = OurChain(frames), SionnaChain(frames)
    require_same_results(ours, theirs)
    return alternate(
        Work("Sionna's blocks on one thread, per batch", theirs.symbols_and_gradient),
        Work("our chain", ours.symbols_and_gradient, repeats=10),
        5 if quick else 11,
        on_round,
    )


RATIOS = {
    "ofdm_vs_sionna": Ratio(
        title="OFDM, multipath, LS and MMSE with gradients, against Sionna's generic chain",
        target=(">=", 10.0),
        measure=measure,
    ),
}
