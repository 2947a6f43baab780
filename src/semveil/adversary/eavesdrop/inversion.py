"""Eavesdroppers who reconstruct the image, in four capacities."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.calibration import affine
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Observations, Progress
from semveil.adversary.eavesdrop.inference import WideInference
from semveil.adversary.eavesdrop.losses import LOSSES
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.channel import Reception
from semveil.link import as_float
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import ImageHead, MultiHead, inversion_network
from semveil.recipe import InversionLoss
from semveil.rng import generator
from semveil.section import Section

# Losses of the error, which gain and offset change; and how many images they are chosen on.
_ERRORS, _CALIBRATED_ON = ("mse", "log-mse"), 2000
_SOURCE = "the project's own; fresh adversaries of several capacities"


class InversionConfig(Section):
    """Settings of an inverter.

    Attributes:
        loss: ``mse``, ``log-mse`` (for the mean PSNR), ``ssim``, ``mi`` (for the excess mutual
            information) or ``perceptual``; the last two beside the squared error.
    """

    loss: InversionLoss = "mse"


class Calibration(Section):
    """What an inverter learns besides her network's weights.

    Attributes:
        calibration: SNR in dB, gain and offset of her pictures at it.
    """

    calibration: list[tuple[float, float, float]] = []


class Inversion(Eavesdropper):
    """An eavesdropper who reconstructs the image by a trained network."""

    target = "image"
    Config = InversionConfig
    Learned = Calibration
    config: InversionConfig
    perceptual: PerceptualLoss | None = None
    calibration: Mapping[float, tuple[float, float]] = MappingProxyType({})

    @property
    def adversary(self) -> str:
        """Her name in records, which tells a loss other than the squared error."""
        return self.name + ("" if self.config.loss == "mse" else f"+{self.config.loss}")

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train her; see :class:`Eavesdropper`."""
        self.pleases_judge = self.config.loss == "perceptual"
        self.perceptual = given.perceptual() if self.pleases_judge else None
        super().fit(given, progress)
        self.calibrate(given)

    @torch.no_grad()
    def calibrate(self, given: Observations) -> None:
        """Choose gain and offset of her pictures at each SNR, where she is after the error."""
        if self.config.loss not in _ERRORS:
            return
        validation = given.validation
        rows = torch.arange(min(_CALIBRATED_ON, len(validation)), device=validation.device)
        originals = as_float(validation.images[rows])
        found = {}
        for snr_db in given.snrs_db:
            scope = (*self.scope, "calibration", str(snr_db))
            source = generator(given.seed, *scope, device=validation.device)
            pictures = Eavesdropper.listen(self, validation.receive(rows, snr_db, source), snr_db)
            logarithmic = self.config.loss == "log-mse"
            found[snr_db] = affine(pictures.float(), originals, logarithmic)
        self.calibration = found

    def listen(self, reception: Reception, snr_db: float) -> Tensor:
        """Return her pictures, calibrated at SNRs of her training; see :class:`Eavesdropper`."""
        pictures = super().listen(reception, snr_db)
        gain, offset = self.calibration.get(snr_db, (1.0, 0.0))
        if (gain, offset) == (1.0, 0.0):
            return pictures
        return (gain * pictures + offset).clamp(0, 1)

    def learned(self) -> Calibration:
        """Return gain and offset at each SNR; see :class:`Eavesdropper`."""
        return Calibration(calibration=[(at, *found) for at, found in self.calibration.items()])

    def recall(self, learned: Section) -> None:
        """Take gain and offset at each SNR; see :class:`Eavesdropper`."""
        assert isinstance(learned, Calibration)
        self.calibration = {at: (gain, offset) for at, gain, offset in learned.calibration}

    def loss(self, output: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return the loss that the settings name, a scalar."""
        output = output.float()
        if self.perceptual is not None:
            return F.mse_loss(output, images) + self.perceptual(output, images)
        return LOSSES[self.config.loss](output, images)


class DenseConfig(InversionConfig):
    """Settings of an inverter with hidden layers.

    Attributes:
        loss: As of every inverter.
        width: Units of a hidden layer.
    """

    width: Annotated[int, Field(ge=2, le=65536)] = 512


class DenseInversion(Inversion):
    """An inverter with hidden layers."""

    Config = DenseConfig
    config: DenseConfig


@EAVESDROPPERS.register
class LinearInversion(Inversion):
    """One linear layer.

    Example:
        >>> LinearInversion(loss="perceptual").adversary
        'inversion/linear+perceptual'
    """

    name = "inversion/linear"
    pace = 2.0
    description = "reconstructs the image by one linear layer"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return one linear layer."""
        return inversion_network("linear", inputs, image_shape)


@EAVESDROPPERS.register
class MLPInversion(DenseInversion):
    """Two hidden layers."""

    name = "inversion/mlp"
    description = "reconstructs the image by two hidden layers"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the multilayer perceptron."""
        return inversion_network("mlp", inputs, image_shape, self.config.width)


@EAVESDROPPERS.register
class WideInversion(DenseInversion):
    """A wide residual network.

    For the losses that the wide network for the label is trained for too, she is a head of it.
    """

    name = "inversion/wide"
    detailed = True
    scaled = True
    description = "reconstructs the image by a wide residual network"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return a residual network."""
        loss, known = self.config.loss, WideInference.losses
        heads = known if loss in known else [loss]
        return ImageHead(MultiHead(inputs, classes, image_shape, self.config.width, heads), loss)

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train the network that serves the label too, if it does; see :class:`Eavesdropper`."""
        if self.config.loss not in WideInference.losses:
            super().fit(given, progress)
            return
        together = WideInference(width=self.config.width)
        together.fit(given, progress)
        self.trained = together.image_head(self.config.loss)
        self.converged = together.converged
        self.calibrate(given)


@EAVESDROPPERS.register
class DeconvInversion(Inversion):
    """Transposed convolutions."""

    name = "inversion/deconv"
    description = "reconstructs the image by transposed convolutions"
    source = _SOURCE

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the transposed convolutional network."""
        return inversion_network("deconv", inputs, image_shape)


@EAVESDROPPERS.register
class ResidualInversion(Inversion):
    """Residual blocks at two resolutions, and a linear map beside them."""

    name = "inversion/residual"
    detailed = True
    pace = 0.5
    description = "reconstructs the image by residual blocks and a linear map"
    source = _SOURCE

    class Config(InversionConfig):
        """Settings of an inverter of residual blocks.

        Attributes:
            loss: As of every inverter.
            width: Channels of the smallest map, a multiple of four.
        """

        width: Annotated[int, Field(ge=8, le=4096, multiple_of=4)] = 48

    config: Config

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the residual network."""
        return inversion_network("residual", inputs, image_shape, self.config.width)


@EAVESDROPPERS.register
class SetInversion(DenseInversion):
    """A network that does not depend on the order of the components."""

    name = "inversion/set"
    description = "reconstructs the image, invariant to the order of the components"
    source = "deep sets, Zaheer et al., arXiv 1703.06114"

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the deep-sets network."""
        return inversion_network("set", inputs, image_shape, self.config.width)
