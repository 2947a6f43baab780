"""Networks of the perturbation generators: generator and discriminator."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from semveil.nets.dense import Mlp

_Leaky = partial(nn.LeakyReLU, 0.2)


class GeneratorNetwork(nn.Module):
    """Random seeds, a PSR and, if conditional, a class → a waveform; it sees no input.

    Blocks of a linear layer and LeakyReLU, as SemAdv (Nan et al., arXiv 2305.07220, figure 4)
    describes them. The only public re-implementation of PGM has batch normalisation; it is omitted
    here, since a perturbation would depend on the rest of its batch.
    Our reading: 64 random seeds (the papers state one or two), and the widths of the blocks.
    """

    def __init__(
        self,
        length: int,
        classes: int = 0,
        seeds: int = 64,
        hidden: tuple[int, ...] = (256, 512),
    ) -> None:
        super().__init__()
        self.length, self.classes, self.seeds = length, classes, seeds
        self.network = Mlp(seeds + 1 + classes, hidden, 2 * length, _Leaky)

    def forward(self, seeds: Tensor, psr_db: Tensor, targets: Tensor | None = None) -> Tensor:
        """Draw waveforms, complex ``[B, T]``, from seeds, a PSR in dB per image, and classes.

        The PSR is an input, so that one generator serves all budgets.
        """
        if (targets is None) != (self.classes == 0):
            kind, must = ("conditional", "given") if self.classes else ("unconditional", "None")
            raise ValueError(f"{kind} generator: targets must be {must}")
        inputs = [seeds, psr_db[:, None] / 10]
        if targets is not None:
            inputs.append(nn.functional.one_hot(targets, self.classes).to(seeds.dtype))
        reals: Tensor = self.network(torch.cat(inputs, dim=1)).float()
        return torch.view_as_complex(reals.unflatten(1, (self.length, 2)))


class Discriminator(nn.Module):
    """Separates perturbations from Gaussian noise; three layers (arXiv 2102.00918, 2305.07220)."""

    def __init__(self, length: int, width: int = 256) -> None:
        super().__init__()
        self.network = Mlp(2 * length, (width, width), 1, _Leaky)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return logits ``[B]``, positive for noise, of complex ``[B, T]``."""
        scores: Tensor = self.network(torch.view_as_real(waveforms).flatten(1))
        return scores.squeeze(1)
