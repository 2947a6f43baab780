"""Multipath channel with OFDM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from semveil import phy
from semveil.channel.flat import Arrival, Channel, Reception, noisy
from semveil.errors import SemveilError
from semveil.phy import OFDM
from semveil.rng import Randomness

Estimator = Literal["lmmse", "ls"]


@dataclass(frozen=True)
class OfdmChannel(Channel):
    """Frequency-selective block fading with OFDM, pilots and channel estimation.

    Alice's waveform is the data on the subcarriers; pilot symbols, cyclic prefixes and peak
    limiting are added here. The signal at the antenna, and the reference of the
    perturbation-to-signal ratio, is the whole frame in time. Frame and receiver are those of
    OFDM-guided JSCC (Yang, Bian, Kim, arXiv 2109.05194) and MobileSC (Nan et al., arXiv
    2305.07220), power-delay profile exponential; ``Rayleigh parameter 1.5`` of the latter is read
    as the profile's decay.

    Attributes:
        subcarriers: Subcarriers ``N``, all used.
        prefix: Samples of cyclic prefix.
        pilot_symbols: Known OFDM symbols at the start of a frame.
        taps: Taps, one per sample of delay, ``CN(0, p_l)`` with ``Σp = 1``.
        decay: Delay in samples at which the profile has fallen to ``1/e``.
        estimator: ``lmmse`` (with the known profile) or ``ls``, where CSI is estimated.
        clip_ratio: Peak amplitude over root mean square of the sent frame; None for no limit.

    Example:
        >>> import torch
        >>> channel = OfdmChannel(csi="estimated")
        >>> z = torch.ones(2, 384, dtype=torch.complex64)
        >>> channel.arrive(z).signal.shape, channel(z, snr_db=10.0).features().shape
        (torch.Size([2, 567]), torch.Size([2, 769]))
    """

    subcarriers: int = 64
    prefix: int = 16
    pilot_symbols: int = 1
    taps: int = 8
    decay: float = 1.5
    estimator: Estimator = "lmmse"
    clip_ratio: float | None = None

    def __post_init__(self) -> None:
        if self.csi == "estimated" and not self.pilot_symbols:
            raise SemveilError("ofdm.pilot_symbols: estimated CSI needs at least 1")
        if self.taps > self.subcarriers:
            raise SemveilError(
                f"ofdm.taps: {self.taps} taps do not fit {self.subcarriers} subcarriers"
            )

    @property
    def ofdm(self) -> OFDM:
        """The frame structure."""
        return OFDM(self.subcarriers, self.prefix, self.pilot_symbols)

    @property
    def name(self) -> str:
        """Channel model and CSI as in records, such as ``multipath/lmmse``."""
        return f"multipath/{self.estimator if self.csi == 'estimated' else self.csi}"

    @property
    def overhead(self) -> int:
        """Pilots per image, in samples."""
        return self.pilot_symbols * self.ofdm.symbol_length

    def symbols(self, uses: int) -> int:
        """Return the number of OFDM symbols for ``uses`` data symbols.

        Raises:
            SemveilError: If the data symbols do not fill whole OFDM symbols.
        """
        if uses % self.subcarriers or not uses:
            raise SemveilError(
                f"link.latent_dim: {uses} channel uses do not fill whole OFDM symbols of "
                f"{self.subcarriers} subcarriers; set a multiple of {2 * self.subcarriers}"
            )
        return uses // self.subcarriers

    def overhead_share(self, uses: int) -> float:
        """Return pilots and prefixes over ``uses`` data symbols, as a share of them.

        Example:
            >>> round(OfdmChannel().overhead_share(384), 3)
            0.458
        """
        return self.ofdm.frame_length(self.symbols(uses)) / uses - 1

    def windows(self, length: int) -> Tensor:
        """Return which samples are used: not cyclic prefixes and the channel's tail.

        Example:
            >>> round(1 - float(OfdmChannel().windows(567).float().mean()), 2)
            0.21
        """
        place = torch.arange(length)
        frame = length - self.taps + 1
        return (place % self.ofdm.symbol_length >= self.prefix) & (place < frame)

    def pilot_windows(self, length: int) -> Tensor:
        """Return which samples the channel is estimated from, bool ``[T]``: none if it is known."""
        known = self.csi == "perfect"
        first = 0 if known else self.overhead
        return self.windows(length) & (torch.arange(length) < first)

    def _profile(self, like: Tensor) -> Tensor:
        return phy.exponential_profile(self.taps, self.decay, device=like.device)

    def frame(self, waveform: Tensor) -> Tensor:
        """Return the transmitted frame in time: pilots, prefixes, peak limiting.

        Args:
            waveform: Data symbols, complex ``[B, k]``, subcarriers of the first OFDM symbol first.

        Returns:
            Samples, complex ``[B, (P + S)·(N + CP)]``.
        """
        data = waveform.unflatten(1, (self.symbols(waveform.shape[1]), self.subcarriers))
        return self.ofdm.transmit(data, clip_ratio=self.clip_ratio)

    def arrive(self, waveform: Tensor, generator: Randomness = None) -> Arrival:
        """Return a waveform after a random multipath channel; see :meth:`Channel.arrive`."""
        taps = phy.multipath_taps(len(waveform), self._profile(waveform), generator=generator)
        return Arrival(phy.convolve(self.frame(waveform), taps), taps)

    def relayed(self, waveform: Tensor, fading: Tensor, pilots: Tensor | float = 0.0) -> Tensor:
        """Return data symbols after known taps, without peak limiting.

        See :meth:`Channel.relayed`.
        """
        data = waveform.unflatten(1, (self.symbols(waveform.shape[1]), self.subcarriers))
        alone = self.ofdm.transmit(torch.zeros_like(data))
        return phy.convolve(self.ofdm.transmit(data) + (pilots - 1) * alone, fading)

    def hear(
        self,
        arrival: Arrival,
        snr_db: Tensor | float,
        *,
        generator: Randomness = None,
        injected: Tensor | None = None,
    ) -> Reception:
        """Add a perturbation and noise, demodulate and estimate; see :meth:`Channel.hear`."""
        received, variance = noisy(arrival.signal, snr_db, generator, injected)
        ofdm = self.ofdm
        n_symbols = (received.shape[1] - self.taps + 1) // ofdm.symbol_length
        grid = ofdm.demodulate(received, n_symbols)
        pilots, data = grid.tensor_split([self.pilot_symbols], 1)
        if self.csi == "perfect":
            h = phy.frequency_response(arrival.fading, self.subcarriers)
        else:
            profile = self._profile(received) if self.estimator == "lmmse" else None
            # For symbols of unit power the estimate's error acts as further noise.
            h, error = ofdm.estimate(pilots, variance, profile=profile)
            variance = variance + error
        csi = h.unsqueeze(1).expand_as(data).flatten(1)
        return Reception(data.flatten(1), csi, variance, pilots)
