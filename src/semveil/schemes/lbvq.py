"""DeepJSCC-LBVQ: a learned codebook, digital modulation, the robust information bottleneck."""

from typing import ClassVar

from semveil.channel import channel_of
from semveil.errors import SemveilError
from semveil.link import LinkNetwork
from semveil.links.digital import CodebookConfig, DigitalLink, symbols_per_token
from semveil.nets.codebook import Codebook, Rule
from semveil.nets.convolutional import ImageShape
from semveil.nets.task import TokenClassifier, TokenEncoder
from semveil.phy.qam import Constellation
from semveil.protect import Mechanism, mechanism, protections
from semveil.recipe import Section
from semveil.schemes.base import SCHEMES
from semveil.schemes.deepjscc import DeepJSCC
from semveil.style import Style


def _grid(tokens: int) -> tuple[int, int]:
    """Rows and columns of so many tokens, as near to a square as they divide."""
    rows = max(r for r in range(1, int(tokens**0.5) + 1) if tokens % r == 0)
    return rows, tokens // rows


@SCHEMES.register
class LBVQ(DeepJSCC):
    """A link that quantises to a learned codebook and sends indices."""

    name = "lbvq"
    style = Style("#8c510a")
    description = "learned codebook with digital modulation, robust information bottleneck"
    source = "Xie, Ma, Ding, Shi, Tang, Wu, IEEE JSAC 41(8), 2023 (arXiv 2209.10382)"
    protects = "nothing by design; it transmits few bits"
    asymmetry = "task"
    settings: ClassVar[tuple[type[Section], ...]] = (CodebookConfig,)
    rule: ClassVar[Rule] = "gumbel"
    deviations: ClassVar[tuple[str, ...]] = (
        "``link.latent_dim`` reals are half as many symbols: 32 for the papers' 16 tokens on "
        "16-QAM, 128 for the same bandwidth as the analog schemes. The survey's dimension of 128 "
        "does not say which.",
        "QAM's gain is fixed so that the training images have unit mean power; the papers scale "
        "the constellation's points, whichever are used.",
        "The trunk's and the codewords' widths are free.",
    )

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build a link that quantises; ``link.latent_dim`` reals are half as many symbols."""
        recipe, settings = self.recipe, self.recipe.of(CodebookConfig)
        try:
            constellation = Constellation(settings.modulation, settings.order or settings.size)
        except ValueError as error:
            raise SemveilError(
                f"codebook.size: {settings.size} codewords on {settings.modulation}: {error}"
            ) from None
        self._check_norms(constellation)
        digits = symbols_per_token(settings.size, constellation.order)
        symbols = recipe.link.latent_dim // 2
        if symbols % digits:
            raise SemveilError(
                f"link.latent_dim: {symbols} symbols are no whole tokens of {digits} symbols each"
            )
        grid = _grid(symbols // digits)
        return DigitalLink(
            TokenEncoder(image_shape, grid, settings.dim, recipe.link.width),
            TokenClassifier(grid, settings.dim, 4 * recipe.link.width, classes),
            channel_of(recipe.bob),
            Codebook(settings.size, settings.dim, self.rule),
            constellation,
            settings.entropy_weight,
            settings.commitment,
            self._noise(symbols // digits, settings.dim),
        )

    def _check_norms(self, constellation: Constellation) -> None:
        for laid in protections(self.recipe):
            if laid.needs_norms and constellation.kind != "psk":
                raise SemveilError(
                    f"protections: {laid.name} hides only what has constant norm, and QAM symbols "
                    "have not; set codebook.modulation: psk"
                )

    def _noise(self, tokens: int, dim: int) -> Mechanism | None:
        try:
            return mechanism(self.recipe, tokens * dim)
        except ValueError:
            raise SemveilError(
                f"codebook.dim: {tokens} tokens of {dim} reals are an odd number, which laplace "
                "cannot pair; make it even"
            ) from None
