"""Flat fading: one coefficient per image, and the reception that a receiver works on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from semveil import phy
from semveil.phy.broadcast import per_image, squared_magnitude
from semveil.rng import Randomness

Fading = Literal["awgn", "rayleigh", "rician"]
Csi = Literal["perfect", "estimated"]


@dataclass(frozen=True)
class Reception:
    """A received batch and the receiver's knowledge of the channel.

    Attributes:
        symbols: Received data symbols, complex ``[B, k]``.
        csi: Channel coefficient as known to the receiver, complex ``[B, 1]`` where all symbols
            share one, else ``[B, k]``.
        noise_variance: Noise per complex symbol, real, one value or ``[B]``.
        pilots: Received pilot symbols of an OFDM frame, complex ``[B, P, N]``; None without OFDM.
    """

    symbols: Tensor
    csi: Tensor
    noise_variance: Tensor
    pilots: Tensor | None = None

    def features(self) -> Tensor:
        """Return the reception as reals for a network, float ``[B, 2k + 1]``.

        The MMSE-equalised symbols and the reliability ``|h|²/(|h|² + σ²)`` together are a
        sufficient statistic for flat fading with perfect CSI. Where every symbol has a channel
        coefficient of its own, the reliability is the mean.

        Example:
            >>> y = torch.ones(1, 2, dtype=torch.complex64)
            >>> Reception(y, y[:, :1], torch.tensor(1.0)).features()
            tensor([[0.5000, 0.0000, 0.5000, 0.0000, 0.5000]])
        """
        return torch.cat([self._equalised(), self._reliability().mean(1, keepdim=True)], dim=1)

    def details(self, scaled: bool = False) -> Tensor:
        """Return all that is known of a reception, float ``[B, 2k + 1]`` or ``[B, 3k + 2P + 1]``.

        Where every symbol has a channel coefficient of its own, the reliability of each and the
        received pilots stand between the symbols and the mean reliability.

        Args:
            scaled: Whether the symbols stand there at unit mean power too, whatever the SNR, and
                the SNR itself, by nine bumps of 5 dB that overlap: ``2k + 9`` reals more.

        Example:
            >>> y = torch.ones(1, 2, dtype=torch.complex64)
            >>> reception = Reception(y, 2 * y, torch.tensor(1.0), y[:, None])
            >>> reception.details().shape, reception.details(scaled=True).shape
            (torch.Size([1, 11]), torch.Size([1, 24]))
        """
        reliability, equalised = self._reliability(), self._equalised()
        mean = reliability.mean(1, keepdim=True)
        parts = [equalised]
        if scaled:
            level = reliability.clamp(min=1e-6).sqrt()
            parts.append(equalised / level.repeat_interleave(1 if level.shape[1] == 1 else 2, 1))
        if reliability.shape[1] > 1:
            parts.append(reliability)
            if self.pilots is not None:
                parts.append(torch.view_as_real(self.pilots.resolve_conj()).flatten(1))
        if scaled:
            snr_db = 10 * mean.logit(1e-6) / math.log(10)
            centres = torch.linspace(-15.0, 25.0, 9, device=mean.device)
            parts.append(torch.exp(-((snr_db - centres) / 5).square()))
        return torch.cat([*parts, mean], dim=1)

    def _equalised(self) -> Tensor:
        equalised = phy.mmse(self.symbols, self.csi, self.noise_variance)
        return torch.view_as_real(equalised).flatten(1)

    def _reliability(self) -> Tensor:
        gain = squared_magnitude(self.csi)
        return gain / (gain + per_image(self.noise_variance, gain, "noise_variance"))


@dataclass(frozen=True)
class Arrival:
    """A batch of waveforms at a receiver's antenna, before perturbation and noise.

    Attributes:
        signal: Received signal without noise, with pilots and all overhead, complex ``[B, T]``;
            the reference of the perturbation-to-signal ratio.
        fading: Channel realisation: one coefficient ``[B, 1]``, or taps ``[B, L]``, complex.
    """

    signal: Tensor
    fading: Tensor


def noisy(
    signal: Tensor, snr_db: Tensor | float, generator: Randomness, injected: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Add a perturbation and noise to a signal; return the noise's variance too."""
    received = signal if injected is None else signal + injected
    received = phy.awgn(received, snr_db, generator=generator)
    snr = torch.as_tensor(snr_db, dtype=torch.float32, device=signal.device)
    return received, phy.snr_to_noise_variance(snr)


@dataclass(frozen=True)
class Channel:
    """Flat block fading with white noise: one coefficient per image, ``y = h·z + w``.

    Attributes:
        fading: ``awgn`` (h = 1), ``rayleigh`` or ``rician``; ``E|h|² = 1`` in each.
        csi: ``perfect``, or ``estimated`` (LMMSE) from pilots with the same noise.
        pilots: Pilot symbols before the data when CSI is estimated; overhead, reported beside
            the bandwidth ratio.
        k_factor_db: K-factor of Rician fading, dB.

    Example:
        >>> z = torch.ones(2, 8, dtype=torch.complex64)
        >>> Channel("rayleigh")(z, snr_db=10.0).features().shape
        torch.Size([2, 17])
    """

    fading: Fading = "rayleigh"
    csi: Csi = "perfect"
    pilots: int = 4
    k_factor_db: float = 6.0

    @property
    def name(self) -> str:
        """Channel model and CSI as in records, such as ``rayleigh/perfect``."""
        return f"{self.fading}/{self.csi}"

    @property
    def overhead(self) -> int:
        """Pilot symbols per image."""
        return self.pilots if self.csi == "estimated" else 0

    def overhead_share(self, uses: int) -> float:
        """Return the overhead over ``uses`` data symbols, as a share of them."""
        return self.overhead / uses

    def windows(self, length: int) -> Tensor:
        """Return which samples at the antenna the receiver uses, bool ``[T]``.

        Example:
            >>> bool(Channel().windows(8).all())
            True
        """
        return torch.ones(length, dtype=torch.bool)

    def pilot_windows(self, length: int) -> Tensor:
        """Return which samples the channel is estimated from, bool ``[T]``.

        Example:
            >>> Channel(csi="estimated", pilots=2).pilot_windows(4)
            tensor([ True,  True, False, False])
        """
        return torch.arange(length) < self.overhead

    def frame(self, waveform: Tensor) -> Tensor:
        """Prepend the pilots to data symbols ``[B, k]``: complex ``[B, overhead + k]``."""
        if not self.overhead:
            return waveform
        pilots = waveform.new_ones(self.overhead)
        return torch.cat([pilots.expand(len(waveform), -1), waveform], dim=1)

    def __call__(
        self,
        waveform: Tensor,
        snr_db: Tensor | float,
        *,
        generator: Randomness = None,
        injected: Tensor | None = None,
    ) -> Reception:
        """Transmit a waveform to one receiver.

        Args:
            waveform: Data symbols of unit mean power, complex ``[B, k]``.
            snr_db: Mean E_s/N_0 in dB, one number or one per image ``[B]``.
            generator: Source of fading and noise; the default generator if omitted.
            injected: Perturbation at the receiver's antenna, complex ``[B, overhead + k]``; it also
                affects the pilots and so the channel estimate.

        Raises:
            ValueError: If ``snr_db`` has neither one value nor ``B``.
        """
        arrival = self.arrive(waveform, generator)
        return self.hear(arrival, snr_db, generator=generator, injected=injected)

    def arrive(self, waveform: Tensor, generator: Randomness = None) -> Arrival:
        """Return a waveform as it arrives at the antenna, without noise.

        Args:
            waveform: Data symbols of unit mean power, complex ``[B, k]``.
            generator: Source of fading.
        """
        frame = self.frame(waveform)
        h = self._coefficient(frame, generator)
        return Arrival(phy.flat(h, frame), h)

    def relayed(self, waveform: Tensor, fading: Tensor, pilots: Tensor | float = 0.0) -> Tensor:
        """Return data symbols after a known fading: what a relay adds at the antenna.

        Args:
            waveform: Data symbols, complex ``[B, k]``.
            fading: Channel realisation, from :class:`Arrival`.
            pilots: Factor of the pilots that are sent with them, one number or ``[B, 1]``.

        Returns:
            complex, the shape of ``arrival.signal``.

        Example:
            >>> channel, z = Channel(csi="estimated", pilots=1), torch.ones(1, 2) + 0j
            >>> channel.relayed(z, torch.tensor([[2j]]))
            tensor([[0.+0.j, 0.+2.j, 0.+2.j]])
        """
        frame = self.frame(waveform)
        head, data = frame.tensor_split([self.overhead], 1)
        return phy.flat(fading, torch.cat([head * pilots, data], 1))

    def hear(
        self,
        arrival: Arrival,
        snr_db: Tensor | float,
        *,
        generator: Randomness = None,
        injected: Tensor | None = None,
    ) -> Reception:
        """Add a perturbation and noise, and estimate the channel.

        Args:
            arrival: From :meth:`arrive`.
            snr_db: As for a call of the channel.
            generator: Source of noise.
            injected: Perturbation at the antenna, complex, the shape of ``arrival.signal``.
        """
        received, variance = noisy(arrival.signal, snr_db, generator, injected)
        h = arrival.fading
        if self.overhead:
            sent = received.new_ones(self.overhead)
            h = phy.lmmse_flat(received[:, : self.overhead], sent, variance)
            received = received[:, self.overhead :]
        return Reception(received, h, variance)

    def _coefficient(self, frame: Tensor, generator: Randomness) -> Tensor:
        if self.fading == "awgn":
            return frame.new_ones(len(frame), 1)
        drawn: Any = {"generator": generator, "device": frame.device, "dtype": frame.dtype}
        if self.fading == "rayleigh":
            return phy.rayleigh(len(frame), **drawn)
        return phy.rician(len(frame), self.k_factor_db, **drawn)
