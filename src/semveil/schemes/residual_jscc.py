"""Joint source-channel coding of images by residual networks beside a linear code; no task."""

from typing import Annotated, ClassVar

from pydantic import Field

from semveil.channel import channel_of
from semveil.link import LinkNetwork
from semveil.nets.convolutional import ImageShape
from semveil.nets.residual_jscc import ResidualDecoder, ResidualEncoder
from semveil.protect import check_symbols
from semveil.schemes.base import SCHEMES
from semveil.schemes.deepjscc_image import DeepJsccImage, ImageLink
from semveil.schemes.parts import modulation


@SCHEMES.register
class ResidualJSCC(DeepJsccImage):
    """An image link of the project's own."""

    name = "residual-jscc"
    description = "residual joint source-channel code for image transmission: no task"
    source = "the project's own"
    reference = "residual-jscc"
    deviations: ClassVar[tuple[str, ...]] = (
        "The decoder is told how reliable what it received is; the encoder is told no SNR.",
    )

    class Config(DeepJsccImage.Config):
        """Settings of the image code.

        Attributes:
            bandwidth_ratio: Channel uses over source reals, as of ``deepjscc-image``.
            blocks: Residual blocks at a quarter of the resolution; half as many at a half.
        """

        blocks: Annotated[int, Field(ge=1, le=64)] = 2

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build encoder and decoder; the classes do not matter."""
        self.check_sides(image_shape)
        _, height, width = image_shape
        dim = self.latent_dim(image_shape)
        check_symbols(self.recipe, dim // 2)
        maps = dim // (height * width // 16)
        sizes = image_shape, maps, self.recipe.link.width, self.recipe.of(self.Config).blocks
        return ImageLink(
            ResidualEncoder(*sizes),
            ResidualDecoder(*sizes),
            channel_of(self.recipe.bob),
            modulation(self.recipe, None),
        )
