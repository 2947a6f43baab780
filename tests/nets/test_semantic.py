"""Networks of MobileSC: published sizes, and attention as its papers write it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from semveil.errors import SemveilError
from semveil.nets.blocks import Attention, Kind, body
from semveil.nets.convolutional import ImageShape
from semveil.nets.preact import PreActResNet
from semveil.nets.semantic import SemanticDecoder, SemanticEncoder
from semveil.rng import generator, normal, seeded, uniform

KINDS: tuple[Kind, ...] = ("semblock", "residual", "inverted")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def maps(*shape: int) -> Tensor:
    return normal(shape, dtype=torch.float64, generator=generator(0, "maps"))


@pytest.mark.parametrize(
    ("kind", "blocks", "encoder", "decoder"),
    [
        ("residual", 2, 2_760_128, 2_759_617),
        ("inverted", 4, 1_476_032, 1_475_521),
        # The published decoder has 804,955; no reading of one block makes the two apart so.
        ("semblock", 4, 805_464, 804_955 - 2),
    ],
)
def test_as_many_parameters_as_published(
    kind: Kind, blocks: int, encoder: int, decoder: int
) -> None:
    assert count(SemanticEncoder((1, 28, 28), 12, blocks=blocks, kind=kind)) == encoder
    assert count(SemanticDecoder((1, 28, 28), 12, blocks=blocks, kind=kind)) == decoder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "maps_of"),
    [
        ((1, 8, 8), (12, 2, 2)),
        ((1, 28, 28), (12, 8, 8)),
        ((3, 32, 32), (12, 8, 8)),
        ((3, 54, 49), (12, 14, 14)),
    ],
)
def test_shapes(kind: Kind, shape: ImageShape, maps_of: tuple[int, int, int]) -> None:
    encoder = SemanticEncoder(shape, 12, width=4, blocks=1, kind=kind)
    features = encoder(torch.rand(3, *shape))
    assert encoder.maps == maps_of
    assert features.shape == (3, 12 * maps_of[1] * maps_of[2])
    images = SemanticDecoder(shape, 12, width=4, blocks=1, kind=kind)(features)
    assert images.shape == (3, *shape)
    assert 0 <= images.min() <= images.max() <= 1


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(SemveilError, match="at least 8×8 pixels, not 7×9"):
        SemanticEncoder((1, 7, 9), 12)
    with pytest.raises(ValueError, match="kind must be one of"):
        body("dense", 16, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="multiple of 16, not 24"):
        Attention(24)


def test_missing_borders_are_black_and_centred() -> None:
    with seeded(0, "weights"):
        small, large = (SemanticEncoder((1, side, side), 4, width=4).eval() for side in (28, 32))
    large.load_state_dict(small.state_dict())
    images = uniform((2, 1, 28, 28), generator=generator(0, "images"))
    torch.testing.assert_close(small(images), large(functional.pad(images, (2, 2, 2, 2))))


def attend_as_published(attention: Attention, maps: Tensor) -> Tensor:
    """ECA-Net's gates on SA-Net's layer without its last step, line by line."""
    pooled = functional.adaptive_avg_pool2d(maps, 1).squeeze(-1).transpose(1, 2)
    gates = torch.sigmoid(attention.neighbours(pooled)).transpose(1, 2).unsqueeze(-1)
    batch, channels, height, width = maps.shape
    grouped = maps.reshape(batch * 8, channels // 8, height, width)
    left, right = grouped.chunk(2, dim=1)
    weight, pixel_weight = attention.weight.view(2, 1, -1, 1, 1)
    bias, pixel_bias = attention.bias.view(2, 1, -1, 1, 1)
    pooled = functional.adaptive_avg_pool2d(left, 1)
    left = left * torch.sigmoid(weight * pooled + bias)
    normed = functional.group_norm(
        right, channels // 16, attention.norm_weight, attention.norm_bias
    )
    right = right * torch.sigmoid(pixel_weight * normed + pixel_bias)
    return gates * torch.cat((left, right), 1).reshape(maps.shape)


def test_attention_is_both_published_layers() -> None:
    attention = Attention(32).double()
    with torch.no_grad():
        for number, parameter in enumerate(attention.parameters()):
            parameter.copy_(
                normal(tuple(parameter.shape), dtype=torch.float64, generator=generator(number))
            )
    seen = maps(3, 32, 5, 4)
    torch.testing.assert_close(attention(seen), attend_as_published(attention, seen))


def test_attention_has_the_gradients_of_what_it_computes() -> None:
    attention = Attention(16).double()
    seen = maps(2, 16, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(attention, seen)


@pytest.mark.parametrize("kind", KINDS)
def test_trained_networks_work_image_by_image_and_in_any_memory_order(kind: Kind) -> None:
    shape = (3, 32, 32)
    encoder = SemanticEncoder(shape, 4, width=8, blocks=1, kind=kind)
    decoder = SemanticDecoder(shape, 4, width=8, blocks=1, kind=kind)
    classifier = PreActResNet(encoder.maps, classes=10, width=8, blocks=(1, 1))
    images = uniform((4, *shape), generator=generator(0, "images"))

    def both(images: Tensor) -> tuple[Tensor, Tensor]:
        features = encoder(images)
        return decoder(features), classifier(features.unflatten(1, encoder.maps))

    both(images)  # a first look for the running statistics
    for network in (encoder, decoder, classifier):
        network.eval()
    rebuilt, logits = both(images)
    alone = [both(image) for image in images.split(1)]
    torch.testing.assert_close(rebuilt, torch.cat([pair[0] for pair in alone]))
    torch.testing.assert_close(logits, torch.cat([pair[1] for pair in alone]))
    last = both(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close((rebuilt, logits), last)


@pytest.mark.parametrize("kind", KINDS)
def test_training_in_bfloat16_teaches(kind: Kind) -> None:
    """Four images are learned by heart: every layer passes gradients on that help."""
    shape = (1, 16, 16)
    with seeded(0, "weights"):
        encoder = SemanticEncoder(shape, 8, width=8, blocks=1, kind=kind)
        decoder = SemanticDecoder(shape, 8, width=8, blocks=1, kind=kind)
    images = (uniform((4, *shape), generator=generator(0, "images")) > 0.5).float()
    images = images.contiguous(memory_format=torch.channels_last)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=3e-3)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            rebuilt = decoder(encoder(images))
        loss = functional.mse_loss(rebuilt, images)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert rebuilt.dtype == torch.float32
    assert all(parameter.grad is not None for parameter in parameters)
    # Black-and-white noise: answering its mean leaves a quarter.
    assert losses[-1] < 0.15 < losses[0]
