"""OFDM: frames of pilots and data, modulation, channel estimation, equalisation.

The FFT is unitary, so the power per time sample equals the power per subcarrier and white noise
of variance ``σ²`` per sample is white noise of variance ``σ²`` per subcarrier. Subcarriers are
in FFT order: index 0 is DC, and ``torch.fft.fftshift`` puts them in ascending frequency.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.phy.clip import clip
from semveil.phy.equalise import mmse
from semveil.phy.estimate import least_squares, lmmse_multipath
from semveil.phy.multipath import convolve, frequency_response
from semveil.phy.noise import awgn, snr_to_noise_variance
from semveil.phy.pilots import zadoff_chu
from semveil.phy.power import normalise_power
from semveil.rng import Randomness


@dataclass(frozen=True)
class Reception:
    """A received and equalised frame.

    Attributes:
        symbols: Equalised data symbols, complex ``[B, S, N]``.
        channel: Channel used for equalisation, complex ``[B, N]``.
        error_variance: Variance of the channel estimate's error per subcarrier, ``[]`` or ``[B]``.
    """

    symbols: Tensor
    channel: Tensor
    error_variance: Tensor


@dataclass(frozen=True)
class OFDM:
    """An OFDM frame: pilot symbols first, then data symbols, each with a cyclic prefix.

    Attributes:
        n_subcarriers: Subcarriers ``N``, all of them used.
        cyclic_prefix: Samples ``CP`` of cyclic prefix per symbol.
        n_pilot_symbols: Pilot symbols ``P`` at the start of a frame.

    Raises:
        ValueError: If a number is negative, there is no subcarrier, or the prefix is longer
            than a symbol.

    Example:
        >>> ofdm = OFDM(n_subcarriers=64, cyclic_prefix=16, n_pilot_symbols=1)
        >>> data = torch.ones(2, 6, 64, dtype=torch.complex64)
        >>> waveform = ofdm.transmit(data)
        >>> waveform.shape
        torch.Size([2, 560])
        >>> bool((ofdm.receive(waveform, 6, 0.0).symbols - data).abs().max() < 1e-5)
        True
    """

    n_subcarriers: int = 64
    cyclic_prefix: int = 16
    n_pilot_symbols: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.cyclic_prefix <= self.n_subcarriers or self.n_subcarriers < 1:
            raise ValueError(
                f"a cyclic prefix of {self.cyclic_prefix} samples does not fit a symbol of "
                f"{self.n_subcarriers} subcarriers"
            )
        if self.n_pilot_symbols < 0:
            raise ValueError(f"a frame cannot have {self.n_pilot_symbols} pilot symbols")

    @property
    def symbol_length(self) -> int:
        """Samples per OFDM symbol, cyclic prefix included."""
        return self.n_subcarriers + self.cyclic_prefix

    def frame_length(self, n_symbols: int) -> int:
        """Return the number of samples of a frame with pilots, for a number of data symbols."""
        return (self.n_pilot_symbols + n_symbols) * self.symbol_length

    def pilots(
        self, *, dtype: torch.dtype = torch.complex64, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Return the symbol that all pilot symbols are, complex ``[N]``: a Zadoff-Chu sequence."""
        return zadoff_chu(self.n_subcarriers, dtype=dtype, device=device)

    def insert_pilots(self, data: Tensor) -> Tensor:
        """Put the pilot symbols in front of data, complex ``[B, S, N]`` → ``[B, P+S, N]``."""
        pilots = self.pilots(dtype=data.dtype, device=data.device)
        known = pilots.expand(data.shape[0], self.n_pilot_symbols, -1)
        return torch.cat([known, data], 1)

    def modulate(self, symbols: Tensor) -> Tensor:
        """Modulate symbols on subcarriers into a waveform, ``[B, S, N]`` → ``[B, S·(N+CP)]``.

        Raises:
            ValueError: If the last dimension is not ``N``.

        Example:
            >>> OFDM(4, 1).modulate(torch.ones(1, 1, 4, dtype=torch.complex64))
            tensor([[0.+0.j, 2.+0.j, 0.+0.j, 0.+0.j, 0.+0.j]])
        """
        if symbols.shape[-1] != self.n_subcarriers:
            raise ValueError(
                f"symbols on {symbols.shape[-1]} subcarriers, where {self.n_subcarriers} exist"
            )
        x = torch.fft.ifft(symbols, norm="ortho")
        return torch.cat([x[..., self.n_subcarriers - self.cyclic_prefix :], x], -1).flatten(1)

    def demodulate(self, waveform: Tensor, n_symbols: int) -> Tensor:
        """Demodulate a received waveform into symbols on subcarriers.

        Args:
            waveform: Received waveform, complex ``[B, T]``; samples after the frame (the
                channel's tail) are ignored.
            n_symbols: OFDM symbols ``S`` to read, pilot symbols included.

        Returns:
            Symbols on subcarriers, complex ``[B, S, N]``.

        Raises:
            ValueError: If the waveform is shorter than ``S`` symbols.

        Example:
            >>> ofdm = OFDM(4, 1)
            >>> symbols = torch.ones(1, 1, 4, dtype=torch.complex64)
            >>> ofdm.demodulate(ofdm.modulate(symbols), 1)
            tensor([[[1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j]]])
        """
        length = n_symbols * self.symbol_length
        if waveform.shape[1] < length:
            raise ValueError(
                f"{waveform.shape[1]} samples are too few for {n_symbols} OFDM symbols of "
                f"{self.symbol_length}"
            )
        blocks = waveform[:, :length].unflatten(1, (n_symbols, self.symbol_length))
        return torch.fft.fft(blocks[..., self.cyclic_prefix :], norm="ortho")

    def estimate(
        self,
        received_pilots: Tensor,
        noise_variance: Tensor | float,
        *,
        profile: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Estimate the channel from the received pilot symbols.

        Args:
            received_pilots: Received pilot symbols, complex ``[B, P, N]``.
            noise_variance: ``σ²`` per complex symbol, one number or one per image ``[B]``.
            profile: Mean tap powers ``[L]`` of the channel, for the LMMSE estimate; without
                it the estimate is least squares, with error variance ``σ²/P``.

        Returns:
            The channel on every subcarrier, complex ``[B, N]``, and its error variance, ``[]``
            or ``[B]`` like the noise variance.

        Raises:
            ValueError: If there is no pilot symbol.
        """
        n_pilots = received_pilots.shape[1]
        if n_pilots == 0:
            raise ValueError("a frame without pilot symbols gives no channel estimate")
        pilots = self.pilots(dtype=received_pilots.dtype, device=received_pilots.device)
        h_ls = least_squares(received_pilots.mean(1), pilots)
        error_variance = torch.as_tensor(noise_variance) / n_pilots
        if profile is None:
            return h_ls, error_variance
        return lmmse_multipath(h_ls, profile, error_variance)

    def transmit(self, data: Tensor, *, clip_ratio: float | None = None) -> Tensor:
        """Return the waveform of a frame: pilots, cyclic prefixes and, optionally, peak limiting.

        Args:
            data: Data symbols of unit power, complex ``[B, S, N]``.
            clip_ratio: Peak amplitude over root mean square (see
                :func:`~semveil.phy.clip.clip`); the limited waveform is scaled to unit mean
                power per sample, pilots included.

        Returns:
            Waveform, complex ``[B, (P+S)·(N+CP)]``.
        """
        waveform = self.modulate(self.insert_pilots(data))
        return waveform if clip_ratio is None else normalise_power(clip(waveform, clip_ratio))

    def receive(
        self,
        waveform: Tensor,
        n_symbols: int,
        noise_variance: Tensor | float,
        *,
        channel: Tensor | None = None,
        profile: Tensor | None = None,
    ) -> Reception:
        """Demodulate a frame, estimate its channel and equalise it (MMSE).

        The equaliser adds the error variance of the channel estimate to the noise variance: for
        data of unit power both have the same effect on a symbol.

        Args:
            waveform: Received waveform, complex ``[B, T]``.
            n_symbols: Data symbols ``S`` of the frame.
            noise_variance: ``σ²`` per complex symbol, one number or one per image ``[B]``.
            channel: The true channel on every subcarrier, complex ``[B, N]``: perfect CSI.
                Without it the channel is estimated from the pilots.
            profile: Mean tap powers ``[L]`` for the LMMSE estimate; least squares if omitted.
        """
        grid = self.demodulate(waveform, self.n_pilot_symbols + n_symbols)
        known, data = grid.tensor_split([self.n_pilot_symbols], 1)
        noise = torch.as_tensor(noise_variance)
        if channel is None:
            channel, error = self.estimate(known, noise, profile=profile)
        else:
            error = torch.zeros_like(noise)
        return Reception(mmse(data, channel.unsqueeze(1), noise + error), channel, error)

    def link(
        self,
        data: Tensor,
        taps: Tensor,
        snr_db: Tensor | float,
        *,
        profile: Tensor | None = None,
        perfect_csi: bool = False,
        clip_ratio: float | None = None,
        generator: Randomness = None,
    ) -> Reception:
        """Send data through a multipath channel and receive it.

        Args:
            data: Data symbols of unit power, complex ``[B, S, N]``.
            taps: Channel taps, complex ``[B, L]``.
            snr_db: ``E_s/N_0`` in dB, one number or one per image ``[B]``.
            profile: As for :meth:`receive`.
            perfect_csi: Whether the receiver knows the channel.
            clip_ratio: As for :meth:`transmit`.
            generator: Source of the noise; the default generator if omitted.

        Warns:
            UserWarning: If the channel is longer than the cyclic prefix allows.

        Example:
            >>> taps = torch.ones(2, 1, dtype=torch.complex64)
            >>> OFDM().link(torch.ones(2, 6, 64) + 0j, taps, snr_db=20.0).symbols.shape
            torch.Size([2, 6, 64])
        """
        self.check_delay(taps.shape[1])
        sent = self.transmit(data, clip_ratio=clip_ratio)
        received = awgn(convolve(sent, taps), snr_db, generator=generator)
        channel = frequency_response(taps, self.n_subcarriers) if perfect_csi else None
        noise_variance = snr_to_noise_variance(snr_db)
        return self.receive(
            received, data.shape[1], noise_variance, channel=channel, profile=profile
        )

    def check_delay(self, n_taps: int) -> None:
        """Warn if the cyclic prefix is shorter than the ``n_taps − 1`` samples of delay."""
        if self.cyclic_prefix < n_taps - 1:
            warnings.warn(
                f"a cyclic prefix of {self.cyclic_prefix} samples is shorter than the channel's "
                f"{n_taps - 1} samples of delay: OFDM symbols interfere",
                stacklevel=3,
            )
