"""Networks of the perturbation generators: generator and discriminator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SLOPE = 0.2


def _blocks(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(_SLOPE)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class GeneratorNetwork(nn.Module):
    """Random seeds, a PSR and, if conditional, a class → a waveform; it sees no input.

    Blocks of a linear layer and LeakyReLU, as SemAdv (Nan et al., arXiv 2305.07220, figure 4)
    describes them. The only public re-implementation of PGM has batch normalisation; it is omitted
    here, since a perturbation would depend on the rest of its batch.

    Args:
        length: Samples of a waveform, ``T``.
        classes: Target classes; 0 for an unconditional generator.
        seeds: Random inputs (our reading; the papers state one or two).
        hidden: Widths of the blocks (our reading).

    Example:
        >>> network = GeneratorNetwork(12, classes=10)
        >>> seeds, class_ = torch.zeros(2, network.seeds), torch.tensor([3, 4])
        >>> network(seeds, torch.tensor([-10.0, -2.0]), class_).shape
        torch.Size([2, 12])
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
        self.network = _blocks(seeds + 1 + classes, hidden, 2 * length)

    def forward(self, seeds: Tensor, psr_db: Tensor, targets: Tensor | None = None) -> Tensor:
        """Draw waveforms, complex ``[B, T]``.

        Args:
            seeds: float ``[B, seeds]``.
            psr_db: PSR, dB, float ``[B]``; an input, so that one generator serves all budgets.
            targets: Target classes, int ``[B]``; only for a conditional generator.

        Raises:
            ValueError: If ``targets`` is given to an unconditional generator, or missing.
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
    """Separates perturbations from Gaussian noise; three layers (arXiv 2102.00918, 2305.07220).

    Args:
        length: Samples of a waveform, ``T``.
        width: Width of both hidden layers (our reading).

    Example:
        >>> Discriminator(12)(torch.zeros(2, 12, dtype=torch.complex64)).shape
        torch.Size([2])
    """

    def __init__(self, length: int, width: int = 256) -> None:
        super().__init__()
        self.network = _blocks(2 * length, (width, width), 1)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return logits ``[B]``, positive for noise, of complex ``[B, T]``."""
        scores: Tensor = self.network(torch.view_as_real(waveforms).flatten(1))
        return scores.squeeze(1)
