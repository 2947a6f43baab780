"""What the task-oriented schemes share: their links, and the protections a recipe may list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from semveil.channel import OfdmChannel, Reception, channel_of
from semveil.errors import SemveilError
from semveil.link import Answer, LinkNetwork, Modulate, to_waveform
from semveil.links.bottleneck import BottleneckLink
from semveil.links.cipher import CipherLink
from semveil.links.digital import DigitalLink, symbols_per_token
from semveil.links.semantic import SemanticLink
from semveil.nets.blocks import Kind
from semveil.nets.codebook import Codebook, Rule
from semveil.nets.convolutional import ImageShape
from semveil.nets.dense import Mlp
from semveil.nets.preact import PreActResNet
from semveil.nets.semantic import SemanticDecoder, SemanticEncoder, maps_shape
from semveil.nets.task import GatedEncoder, TaskEncoder, TokenClassifier, TokenEncoder
from semveil.phy.qam import Constellation
from semveil.protect.keyed_transform import KeyedTransform
from semveil.protect.laplace import Laplace
from semveil.protect.normalise import normalise_blocks
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.recipe import Recipe

MOBILESC = "Nan et al., MobileSC, SemAdv and SemMixed, arXiv 2305.07220, JSAC 41(8), 2023"
SURVEY = "Guo, Zhang, Wang, Feng, Quek, privacy-preserving task-oriented semantic communications"


OVER_OFDM = (
    "Images are padded to sides that are multiples of eight, MNIST's to 32×32: only so has a frame "
    "one pilot and six data symbols of 64 subcarriers, and the perturbation its 1,134 reals.",
    "The reconstruction loss, called a cross-entropy of pixels, is the mean squared error (our "
    "reading).",
    "Both ways to understand, from the rebuilt image and from the received latent, are trained "
    "together, each by a classifier of its own.",
    "The Rayleigh parameter 1.5 is read as the decay of the power-delay profile, in samples.",
    "The classifier's width and the SNR of training are not stated and are settings here.",
)
"""Where the links over OFDM chose or differ from the paper."""


def without_reconstruction(link: LinkNetwork, reception: Reception) -> Answer:
    """Return what Bob reads in the received latent."""
    assert isinstance(link, SemanticLink)
    return link.understand(reception)


def check_order(protections: Sequence[str], recipe: Recipe) -> None:
    """Refuse protections whose order, or whose link, voids what one of them guarantees.

    Raises:
        SemveilError: If so; it says which guarantee and why.

    Example:
        >>> check_order(["laplace", "rotation"], Recipe())
    """
    seen = list(protections)
    if len(set(seen)) < len(seen):
        raise SemveilError(f"protections: {', '.join(seen)} names one of them twice")
    if "laplace" in seen and seen[0] != "laplace":
        raise SemveilError(
            f"protections: laplace must come before {seen[0]}: its clipping and its ε are stated "
            "for the encoder's features, not for keyed ones"
        )
    if "rotation" in seen:
        if "shuffle" in seen and seen.index("shuffle") < seen.index("rotation"):
            raise SemveilError(
                "protections: shuffle before rotation mixes the rotated blocks, whose norms then "
                "tell of the image; put rotation first"
            )
        if recipe.link.latent_dim % 4:
            raise SemveilError(
                f"link.latent_dim: {recipe.link.latent_dim} reals are no whole blocks of four, "
                "which rotation turns"
            )
        if "laplace" in seen and recipe.dp.reading == "genuine":
            raise SemveilError(
                "protections: rotation hides only what has constant norm, and genuine differential "
                "privacy forbids the gain that would make it constant"
            )


def _check_digital(protections: Sequence[str], constellation: Constellation) -> None:
    if "rotation" in protections and constellation.kind != "psk":
        raise SemveilError(
            "protections: rotation hides only what has constant norm, and QAM symbols have not; "
            "set codebook.modulation: psk"
        )


def keyed_protections(recipe: Recipe, link: LinkNetwork, key: bytes) -> KeyedTransform:
    """Return the keyed protections that a recipe lists, at least one, as one cover."""
    builders: dict[str, Callable[[], KeyedTransform]] = {
        "shuffle": lambda: Shuffle(key, fresh=True),
        "rotation": lambda: Rotation(key, "blocks"),
    }
    laid = [builders[name]() for name in recipe.protections if name in builders]
    return laid[0] if len(laid) == 1 else ComposedTransform(laid)


class ComposedTransform:
    """Several covers, each over the one before.

    Args:
        covers: In the order in which Alice applies them.
    """

    def __init__(self, keyed_protections: Sequence[KeyedTransform]) -> None:
        self.covers = keyed_protections
        self.name = "+".join(cover.name for cover in keyed_protections)

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Apply all of them to a waveform, complex ``[B, k]``."""
        for cover in self.covers:
            waveform = cover.encrypt(waveform, messages)
        return waveform

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Undo all of them, the last first."""
        for cover in reversed(self.covers):
            symbols = cover.decrypt(symbols, messages)
        return symbols


def _mechanism(recipe: Recipe, dim: int) -> Laplace | None:
    return Laplace(recipe.dp, dim) if "laplace" in recipe.protections else None


def _modulate(recipe: Recipe, mechanism: Laplace | None) -> Modulate:
    if "rotation" in recipe.protections:
        return normalise_blocks
    return to_waveform if mechanism is None else mechanism.to_waveform


def _head(recipe: Recipe, classes: int) -> nn.Module:
    width = recipe.link.head_width
    return Mlp(recipe.link.latent_dim + 1, (width, width), classes)


class AnalogLink(LinkNetwork):
    """A task link whose power may be one on average only, as a guarantee may need."""

    @property
    def fixed_gain(self) -> bool:  # type: ignore[override]
        """Whether the power is one on average only."""
        return isinstance(self.mechanism, Laplace) and self.mechanism.fixed_gain


def task_link(recipe: Recipe, image_shape: ImageShape, classes: int) -> LinkNetwork:
    """Build DeepJSCC for the task, with the protections that the recipe lists."""
    dim = recipe.link.latent_dim
    mechanism = _mechanism(recipe, dim)
    return AnalogLink(
        TaskEncoder(image_shape, dim, recipe.link.width),
        _head(recipe, classes),
        None,
        channel_of(recipe.bob),
        mechanism,
        _modulate(recipe, mechanism),
    )


def bottleneck_link(recipe: Recipe, image_shape: ImageShape, classes: int) -> LinkNetwork:
    """Build a link with gated features whose transmission has a price."""
    dim = recipe.link.latent_dim
    mechanism = _mechanism(recipe, dim)
    if mechanism is not None and mechanism.fixed_gain:
        raise SemveilError(
            "protections: genuine differential privacy needs a fixed gain, and the bottleneck's "
            "price refers to features of unit power; use dp.reading: paper"
        )
    settings = recipe.bottleneck
    return BottleneckLink(
        GatedEncoder(image_shape, dim, recipe.link.width, settings.variable_length),
        _head(recipe, classes),
        channel_of(recipe.bob),
        recipe.bob.snr_db,
        settings.threshold,
        mechanism,
        _modulate(recipe, mechanism),
    )


def cipher_link(recipe: Recipe, image_shape: ImageShape, classes: int) -> LinkNetwork:
    """Build a link with a learned encryptor and decryptor."""
    if recipe.protections:
        raise SemveilError("protections: cipher encrypts by itself; nothing is laid over it")
    dim = recipe.link.latent_dim
    return CipherLink(
        TaskEncoder(image_shape, dim, recipe.link.width),
        _head(recipe, classes),
        channel_of(recipe.bob),
        dim,
        recipe.cipher.key_bits,
    )


def _grid(tokens: int) -> tuple[int, int]:
    """Rows and columns of so many tokens, as near to a square as they divide."""
    rows = max(r for r in range(1, int(tokens**0.5) + 1) if tokens % r == 0)
    return rows, tokens // rows


def semantic_link(recipe: Recipe, image_shape: ImageShape, classes: int, kind: Kind) -> LinkNetwork:
    """Build a link over OFDM whose encoder's and decoder's bodies are blocks of a kind."""
    if recipe.protections:
        raise SemveilError(f"protections: nothing is laid over {recipe.scheme}")
    settings, dim = recipe.semantic, recipe.link.latent_dim
    _, height, width = maps_shape(image_shape, 1)
    channels, rest = divmod(dim, height * width)
    if rest:
        raise SemveilError(
            f"link.latent_dim: {dim} reals are no whole maps of {height}×{width}, to which "
            f"images of {image_shape[1]}×{image_shape[2]} are encoded"
        )
    channel = channel_of(recipe.bob)
    if isinstance(channel, OfdmChannel):
        channel.symbols(dim // 2)
    ends = image_shape, channels, recipe.link.width, settings.blocks, kind
    stages = (settings.classifier_blocks,) * 4
    try:
        encoder, decoder = SemanticEncoder(*ends), SemanticDecoder(*ends)
    except ValueError as error:
        raise SemveilError(
            f"link.width: {recipe.link.width} does not suit {recipe.scheme}, whose blocks have "
            f"four times as many channels: {error}"
        ) from None
    return SemanticLink(
        encoder,
        decoder,
        PreActResNet(image_shape, classes, settings.classifier_width, stages),
        PreActResNet((channels, height, width), classes, settings.classifier_width, stages),
        channel,
        recipe.bob.ofdm.refine,
    )


def digital_link(recipe: Recipe, image_shape: ImageShape, classes: int, rule: Rule) -> LinkNetwork:
    """Build a link that quantises; ``link.latent_dim`` reals are half as many symbols."""
    settings = recipe.codebook
    try:
        constellation = Constellation(settings.modulation, settings.order or settings.size)
    except ValueError as error:
        raise SemveilError(
            f"codebook.size: {settings.size} codewords on {settings.modulation}: {error}"
        ) from None
    _check_digital(recipe.protections, constellation)
    digits = symbols_per_token(settings.size, constellation.order)
    symbols = recipe.link.latent_dim // 2
    if symbols % digits:
        raise SemveilError(
            f"link.latent_dim: {symbols} symbols are no whole tokens of {digits} symbols each"
        )
    grid = _grid(symbols // digits)
    if "laplace" in recipe.protections and grid[0] * grid[1] * settings.dim % 2:
        raise SemveilError(
            f"codebook.dim: {grid[0] * grid[1]} tokens of {settings.dim} reals are an odd number, "
            "which laplace cannot pair; make it even"
        )
    return DigitalLink(
        TokenEncoder(image_shape, grid, settings.dim, recipe.link.width),
        TokenClassifier(grid, settings.dim, 4 * recipe.link.width, classes),
        channel_of(recipe.bob),
        Codebook(settings.size, settings.dim, rule),
        constellation,
        settings.entropy_weight,
        settings.commitment,
        _mechanism(recipe, grid[0] * grid[1] * settings.dim),
    )
