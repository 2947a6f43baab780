"""Laplace noise on the features, in two readings: as published, and differentially private.

Everything after the noise (gain, power, channel) is post-processing; the guarantee depends on the
clipped norm and on the noise alone.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, field_validator
from torch import Tensor, distributed

from semveil import phy
from semveil.errors import SemveilError
from semveil.protect.base import PROTECTIONS, Mechanism
from semveil.recipe import Recipe, Section
from semveil.rng import Randomness, uniform

# After this many batches the running mean of the signal's energy becomes an exponential average:
# the encoder is still learning.
_MEMORY = 100


class DpConfig(Section):
    """Laplace noise on the features.

    Attributes:
        reading: ``paper`` (noise of a stated power, no guarantee) or ``genuine`` (ε-local
            differential privacy of the whole feature vector of one message).
        epsilon: Privacy budget.
        scale: Paper reading: noise scale times ε, for features of unit power per real.
        clip: Genuine reading: radius of the ℓ1 ball that features are clipped to; the
            sensitivity is twice that.
    """

    section: ClassVar[str] = "dp"

    reading: Literal["paper", "genuine"] = "paper"
    epsilon: float = 0.1
    scale: Annotated[float, Field(gt=0, le=1e6)] = 0.1
    clip: Annotated[float, Field(gt=0, le=1e6)] | None = None

    @field_validator("epsilon")
    @classmethod
    def _some_budget(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("a privacy budget must be positive")
        return value


def laplace_noise(shape: tuple[int, int], scale: float, like: Tensor, source: Randomness) -> Tensor:
    """Draw Laplace noise as the difference of two exponential variables.

    Drawn in double precision: 24-bit uniforms would cut the tail off at 17 scales, which matters
    for small probabilities. Rounded noise leaks a little by itself (Mironov, "On significance of
    the least significant bits", CCS 2012); adding in double precision and rounding last reduces
    that leak without removing it.

    Args:
        shape: Messages and features.
        scale: ``b``; the variance is ``2 b²``.
        like: A tensor on the device of the noise.
        source: Source of randomness.

    Returns:
        Independent noise, float64 ``shape``.

    Example:
        >>> from semveil.rng import generator
        >>> noise = laplace_noise((1000, 100), 0.5, torch.zeros(1), generator(0))
        >>> bool((noise.var() - 0.5).abs() < 0.02)
        True
    """
    count, dim = shape
    u = uniform(
        (count, 2, dim), dtype=torch.float64, device=like.device, generator=source
    )  # one draw, so that a shard's rows are those of the whole batch
    first, second = (-torch.log1p(-u)).unbind(1)
    return scale * (first - second)


def clip_l1(features: Tensor, radius: float) -> Tensor:
    """Scale every vector into the ℓ1 ball.

    Args:
        features: float ``[B, d]``.
        radius: ``C``.

    Returns:
        ``f · min(1, C / ‖f‖₁)``, ``[B, d]``; any two of them are at most ``2C`` apart in ℓ1.

    Example:
        >>> clip_l1(torch.tensor([[3.0, -1.0], [0.5, 0.0]]), 1.0)
        tensor([[ 0.7500, -0.2500],
                [ 0.5000,  0.0000]])
    """
    return features * (radius / features.abs().sum(1, keepdim=True).clamp_min(radius))


@PROTECTIONS.register
class Laplace(Mechanism):
    """Laplace noise between the encoder and the waveform.

    ``paper``: features are scaled to unit power per real, ``‖f‖² = d``, and get noise of scale
    ``b = s / ε``. Published curves that lose 3–4 points of accuracy at budgets of 0.05 to 0.9 are
    possible only with ``s`` of about 0.1 or less; that is our reading, since no sensitivity is
    published. It is not ε-differentially private at the stated budget: unit-power features can
    differ by ``2d`` in ℓ1, so the budget of the whole vector is :attr:`vector_epsilon`
    ``= 2dε / s``.

    ``genuine``: features are clipped to the ℓ1 ball of radius ``C`` and get noise of scale
    ``b = 2C / ε``. The whole vector of one message is then ε-locally differentially private
    (Dwork et al., TCC 2006): any two images are at most ``2C`` apart. The waveform is a constant
    gain times the noisy vector, at a mean power of one per complex symbol over the training data:
    the noise's share of the power is known, the signal's is a running mean over training batches,
    frozen in evaluation. The gain depends on the training images, like the weights, and not on
    the image that is sent; the power of single messages varies.

    Args:
        settings: The recipe's section ``dp``; ``scale`` applies to the paper's reading only,
            ``clip`` to the genuine one only.
        dim: Features per message, ``d``, even.

    Attributes:
        noise_scale: ``b``.
        sensitivity: Largest ℓ1 distance between the noiseless vectors of two images.
        fixed_gain: Whether the waveform is a constant times the noisy vector.

    Raises:
        SemveilError: If the genuine reading has no clipping radius.
        ValueError: If ``dim`` is odd or not positive.

    Example:
        >>> from semveil.rng import generator
        >>> noise = Laplace(DpConfig(reading="genuine", epsilon=1.0, clip=2.0), dim=8)
        >>> noise.noise_scale, noise.sensitivity, noise.vector_epsilon
        (4.0, 4.0, 1.0)
        >>> noise.to_waveform(noise(torch.ones(3, 8), generator(0))).shape
        torch.Size([3, 4])
    """

    name = "laplace"
    description = "Laplace noise on the features, as published or differentially private"
    source = "Dwork, McSherry, Nissim, Smith, TCC 2006"
    protects = "the image, by noise on the features, also for Bob"
    guarantee = (
        "genuine reading: ε-local differential privacy of one message's features "
        "(clipping, fixed gain); paper reading: none"
    )
    Config = DpConfig
    energy: Tensor
    batches: Tensor

    def __init__(self, settings: DpConfig, dim: int) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise ValueError(f"two features make one channel use: dim must be even, not {dim}")
        self.dim = dim
        self.fixed_gain = settings.reading == "genuine"
        if self.fixed_gain:
            if settings.clip is None:
                raise SemveilError(
                    "dp.clip: the genuine reading needs a clipping radius, since without one the "
                    "sensitivity has no bound"
                )
            self.clip: float | None = settings.clip
            self.sensitivity = 2 * settings.clip
            self.noise_scale = self.sensitivity / settings.epsilon
            # ‖f‖₂ ≤ ‖f‖₁ ≤ C: before training, the mean power is at most one.
            energy = settings.clip**2
        else:
            self.clip = None
            self.sensitivity = 2.0 * dim
            self.noise_scale = settings.scale / settings.epsilon
            energy = float(dim)
        self.register_buffer("energy", torch.tensor(energy, dtype=torch.float64))
        self.register_buffer("batches", torch.tensor(0))

    @classmethod
    def of(cls, recipe: Recipe, dim: int) -> Self:
        """Return the noise on ``dim`` features with the settings of a recipe."""
        return cls(recipe.of(DpConfig), dim)

    @property
    def vector_epsilon(self) -> float:
        """The ε of the whole vector of one message: sensitivity over ``b``."""
        return self.sensitivity / self.noise_scale

    @property
    def feature_snr_db(self) -> float:
        """Mean energy of the features over that of the noise, dB.

        Exact in the paper's reading (``1 / 2b²``); in the genuine one the mean over the training
        batches.
        """
        return 10 * math.log10(float(self.energy) / self._noise_energy)

    @property
    def _noise_energy(self) -> float:
        return 2 * self.dim * self.noise_scale**2

    @property
    def noise_share(self) -> float:
        """Share of the waveform's mean power that is noise."""
        return self._noise_energy / (float(self.energy) + self._noise_energy)

    @property
    def gain(self) -> Tensor:
        """Amplitude of the waveform over the noisy vector in the genuine reading, float64."""
        return (self.dim / 2 / (self.energy + self._noise_energy)).sqrt()

    def bound(self, features: Tensor) -> Tensor:
        """Return the features clipped, or scaled to unit power per real.

        Args:
            features: float ``[B, d]``.

        Returns:
            ``[B, d]``, in double precision, so that rounding moves no vector out of its bound.
        """
        features = features.double()
        if self.clip is not None:
            return clip_l1(features, self.clip)
        # Unit power per complex symbol is half of it per real.
        symbols = torch.view_as_complex(features.unflatten(1, (-1, 2)).contiguous())
        return math.sqrt(2) * torch.view_as_real(phy.normalise_power(symbols)).flatten(1)

    def forward(self, features: Tensor, source: Randomness = None) -> Tensor:
        """Bound the features and add fresh noise.

        In training, the genuine reading also updates the mean energy for the gain.

        Args:
            features: float ``[B, d]``.
            source: Source of the noise.

        Returns:
            Noisy features, ``[B, d]``, in the dtype of the input, at least float32.
        """
        bounded = self.bound(features)
        if self.training and self.fixed_gain:
            self._note(bounded.detach())
        noise = laplace_noise((len(features), self.dim), self.noise_scale, features, source)
        return (bounded + noise).to(torch.promote_types(features.dtype, torch.float32))

    def _note(self, bounded: Tensor) -> None:
        self.batches += 1
        energy = bounded.square().sum(1).mean()
        if distributed.is_available() and distributed.is_initialized():
            # Processes share each batch, and one of them saves: all must have the same mean.
            distributed.all_reduce(energy)
            energy = energy / distributed.get_world_size()
        self.energy += (energy - self.energy) / self.batches.clamp(max=_MEMORY)

    def to_waveform(self, noisy: Tensor) -> Tensor:
        """Pair the noisy features into complex symbols.

        Args:
            noisy: float ``[B, d]``, as :meth:`forward` returns it.

        Returns:
            Waveform, complex ``[B, d/2]``: per image of unit mean power (paper), or
            :attr:`gain` times the features (genuine).
        """
        symbols = torch.view_as_complex(noisy.unflatten(1, (-1, 2)).contiguous())
        if self.fixed_gain:
            return self.gain.to(noisy.dtype) * symbols
        return phy.normalise_power(symbols)
