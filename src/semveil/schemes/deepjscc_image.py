"""Deep joint source-channel coding of images: five convolutional layers, no task."""

from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from semveil.channel import Channel, channel_of
from semveil.errors import SemveilError
from semveil.link import Answer, LinkNetwork, Modulate
from semveil.nets.convolutional import ImageShape
from semveil.nets.deepjscc import DeepJsccDecoder, DeepJsccEncoder
from semveil.nets.eavesdropper import SimulatedEve
from semveil.protect import check_symbols
from semveil.recipe import Section
from semveil.schemes.base import SCHEMES, Scheme
from semveil.schemes.parts import modulation
from semveil.training.joint import Joint


def _ratio(value: Any) -> Any:
    if isinstance(value, str) and "/" in value:
        try:
            return float(Fraction(value.replace(" ", "")))
        except (ValueError, ZeroDivisionError):
            raise ValueError("give a number or a fraction, such as 1/6") from None
    return value


class ImageLink(LinkNetwork):
    """Alice encodes an image; Bob reconstructs it and classifies nothing."""

    classifies = False

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, channel: Channel, modulate: Modulate
    ) -> None:
        super().__init__(encoder, nn.Identity(), decoder, channel, modulate=modulate)

    def decode(self, features: Tensor) -> Answer:
        """Return Bob's reconstruction for the features ``[B, d + 1]`` of a reception."""
        return Answer(images=self.rebuild(features))


class PublishedLink(ImageLink):
    """An image link whose decoder has no reliability among its inputs, as published."""

    def rebuild(self, features: Tensor) -> Tensor:
        """Return Bob's images, ``[B, C, H, W]``, for the features ``[B, d + 1]`` of a reception."""
        return super().rebuild(features[:, :-1])


@SCHEMES.register
class DeepJsccImage(Scheme):
    """DeepJSCC as published, for image transmission."""

    name = "deepjscc-image"
    description = "DeepJSCC for image transmission: reconstruction, no task"
    source = "Bourtsoulatze, Kurka, Gündüz, arXiv 1809.01733, IEEE TCCN 5(3), 2019"
    protects = "nothing"
    reference = "deepjscc-image"
    simulates = ()
    composes = True
    keyed_only = True
    symbols = None
    deviations: ClassVar[tuple[str, ...]] = (
        "The paper is silent on padding and on the slopes of PReLU: two pixels on every side of a "
        "map, one slope per layer, none after the encoder's last layer (our reading).",
        "Bob decodes MMSE-equalised symbols; on fading channels he has perfect CSI by default. The "
        "paper's decoder gets the received symbols without any channel estimate.",
        "Feature maps that give an odd number of reals are not used: two reals are one symbol.",
    )

    class Config(Section):
        """Settings of the image code.

        Attributes:
            bandwidth_ratio: Channel uses over source reals, ``k / n``, a number or a fraction. It
                sets the number of feature maps, ``c = 32·C·k/n`` for images of ``C`` channels;
                ``link.latent_dim`` is not used.
        """

        bandwidth_ratio: Annotated[float, BeforeValidator(_ratio), Field(gt=0, le=8)] = 0.25

    def latent_dim(self, image_shape: ImageShape) -> int:
        """Return the reals of the latent, ``d = c·H·W/16``, of images of a shape."""
        channels, height, width = image_shape
        ratio = self.recipe.of(self.Config).bandwidth_ratio
        # Maps of an odd number of pixels come in pairs, for whole symbols.
        step = 1 + (height * width // 16) % 2
        wanted = 32 * channels * ratio
        maps = step * max(1, round(wanted / step))
        if abs(maps - wanted) > 0.01 * wanted:
            below = step * max(1, int(wanted / step))
            near = " or ".join(str(Fraction(each, 32 * channels)) for each in (below, below + step))
            raise SemveilError(
                f"{self.name}.bandwidth_ratio: {ratio:g} is not a multiple of "
                f"{Fraction(step, 32 * channels)} for these images; set {near}"
            )
        return maps * height * width // 16

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build encoder and decoder; the classes do not matter."""
        self.check_sides(image_shape)
        dim = self.latent_dim(image_shape)
        check_symbols(self.recipe, dim // 2)
        return PublishedLink(
            DeepJsccEncoder(image_shape, dim),
            DeepJsccDecoder(image_shape, dim),
            channel_of(self.recipe.bob),
            modulation(self.recipe, None),
        )

    def check_sides(self, image_shape: ImageShape) -> None:
        """Refuse images that are no whole 4×4 patches."""
        _, height, width = image_shape
        if height % 4 or width % 4:
            raise SemveilError(
                f"{self.name}: images of {height}×{width}, where both sides must be multiples "
                "of four; set data.image_size, for example data.image_size=64"
            )

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> Joint:
        """Return training for the mean squared error of the images."""
        return Joint(self.recipe, link)
