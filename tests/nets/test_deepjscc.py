"""DeepJSCC: sizes counted by hand, and layers that compute what torch's own compute."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from semveil.nets.convolutional import ImageShape
from semveil.nets.deepjscc import (
    DeepJsccDecoder,
    DeepJsccEncoder,
    DoublingConv,
    HalvingConv,
    MirroredConv,
    Prelu,
)
from semveil.rng import generator, normal, seeded, uniform

# A layer, and torch's own of the same parameters.
LAYERS = {
    "halving": (HalvingConv, nn.Conv2d),
    "doubling": (DoublingConv, nn.ConvTranspose2d),
    "mirrored": (MirroredConv, nn.ConvTranspose2d),
}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def maps(*shape: int) -> Tensor:
    return normal(shape, dtype=torch.float64, generator=generator(0, "maps")).requires_grad_()


@pytest.mark.parametrize(
    ("shape", "latent_dim"), [((3, 32, 32), 64), ((3, 32, 32), 768), ((1, 28, 28), 98)]
)
def test_shapes(shape: ImageShape, latent_dim: int) -> None:
    latents = DeepJsccEncoder(shape, latent_dim)(torch.rand(5, *shape))
    assert latents.shape == (5, latent_dim)
    images = DeepJsccDecoder(shape, latent_dim)(latents)
    assert images.shape == (5, *shape)
    assert images.dtype == torch.float32


@pytest.mark.parametrize("latent_dim", [0, -64, 65, 96])
def test_a_latent_that_does_not_fill_the_map_is_refused(latent_dim: int) -> None:
    for network in (DeepJsccEncoder, DeepJsccDecoder):
        with pytest.raises(ValueError, match="multiple of 64"):
            network((3, 32, 32), latent_dim)


def test_an_image_that_cannot_be_halved_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="30×32"):
        DeepJsccEncoder((3, 30, 32), 64)


def test_parameters_counted_by_hand() -> None:
    # 5×5 kernels and biases, layer by layer, and four slopes; c = 12.
    encoder = (75 * 16 + 16) + (400 * 32 + 32) + 2 * (800 * 32 + 32) + (800 * 12 + 12) + 4
    decoder = (300 * 32 + 32) + 2 * (800 * 32 + 32) + (800 * 16 + 16) + (400 * 3 + 3) + 4
    assert count(DeepJsccEncoder((3, 32, 32), 768)) == encoder == 74_928
    assert count(DeepJsccDecoder((3, 32, 32), 768)) == decoder == 74_919


def test_rebuilt_images_can_be_black_and_white() -> None:
    decoder = DeepJsccDecoder((3, 32, 32), 64)
    for sign, shade in ((-1, 0.0), (1, 1.0)):
        with torch.no_grad():
            decoder.layers[-1].bias.fill_(sign * 100)
        assert bool((decoder(torch.zeros(1, 64)) == shade).all())


def test_the_latent_of_an_image_is_its_own() -> None:
    encoder, images = DeepJsccEncoder((3, 32, 32), 64), torch.rand(4, 3, 32, 32)
    assert torch.allclose(encoder(images)[2:3], encoder(images[2:3]), atol=1e-6)


def test_features_of_one_place_lie_side_by_side() -> None:
    encoder = DeepJsccEncoder((3, 32, 32), 128).to(memory_format=torch.channels_last)
    images = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    narrowest = encoder.layers(images)
    assert torch.equal(encoder(images)[:, :2], narrowest[:, :, 0, 0])
    # In channels_last order they already did: no copy.
    assert narrowest.permute(0, 2, 3, 1).is_contiguous()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("channels", [(3, 2), (2, 3)])
@pytest.mark.parametrize("size", [(4, 6), (8, 2)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_layers_equal_torch(
    kind: str,
    channels: tuple[int, int],
    size: tuple[int, int],
    memory_format: torch.memory_format,
) -> None:
    ours, theirs = LAYERS[kind]
    layer = ours(*channels).double().to(memory_format=memory_format)
    x = maps(3, channels[0], *size)
    inputs = [x, *layer.parameters()]
    y = layer(x.contiguous(memory_format=memory_format))
    expected = theirs.forward(layer, x)
    assert torch.allclose(y, expected, atol=1e-10)
    back = torch.randn_like(y)
    for mine, other in zip(
        torch.autograd.grad(y, inputs, back),
        torch.autograd.grad(expected, inputs, back),
        strict=True,
    ):
        assert torch.allclose(mine, other, atol=1e-10)


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_can_be_differentiated_twice(kind: str) -> None:
    layer = LAYERS[kind][0](1, 2).double()
    names = [name for name, _ in layer.named_parameters()]

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, named, (x,))

    inputs = (maps(1, 1, 4, 4), *layer.parameters())
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_images_need_no_gradient_of_their_own() -> None:
    layer = HalvingConv(3, 2)
    layer(torch.rand(1, 3, 4, 4)).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.25, 1.0, 2.0])
def test_prelu_equals_torch(slope: float) -> None:
    layer = Prelu().double()
    with torch.no_grad():
        layer.weight.fill_(slope)
    x = maps(3, 2, 4, 4)
    y, expected = layer(x), functional.prelu(x, layer.weight)
    assert torch.equal(y, expected)
    inputs = (x, layer.weight)
    back = torch.randn_like(x)
    mine = torch.autograd.grad(y, inputs, back)
    other = torch.autograd.grad(expected, inputs, back)
    assert torch.allclose(mine[0], other[0])
    assert torch.allclose(mine[1], other[1])


def test_prelu_can_be_differentiated_twice() -> None:
    layer = Prelu().double()

    def run(x: Tensor, slope: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": slope}, (x,)) ** 2

    inputs = (maps(2, 3), layer.weight)
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_prelu_keeps_dtypes(dtype: torch.dtype) -> None:
    layer, x = Prelu(), maps(2, 3).detach().to(dtype).requires_grad_()
    y = layer(x)
    y.sum().backward()
    assert y.dtype == dtype
    assert x.grad is not None
    assert x.grad.dtype == dtype
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32


def test_half_precision_changes_little() -> None:
    with seeded(0):
        encoder, decoder = DeepJsccEncoder((3, 32, 32), 64), DeepJsccDecoder((3, 32, 32), 64)
    networks = nn.ModuleList([encoder, decoder]).to(memory_format=torch.channels_last)
    images = uniform((4, 3, 32, 32), generator=generator(0))
    results = []
    for enabled in (False, True):
        networks.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            rebuilt = decoder(encoder(images).float())
            functional.mse_loss(rebuilt, images).backward()
        gradient = torch.cat(
            [p.grad.flatten() for p in networks.parameters() if p.grad is not None]
        )
        results.append((rebuilt.detach(), gradient))
    (exact, slope), (rough, rough_slope) = results
    assert rough.dtype == torch.float32
    assert float((rough - exact).abs().max()) < 0.01
    assert float((rough_slope - slope).norm() / slope.norm()) < 0.05


def test_it_learns() -> None:
    with seeded(0):
        encoder, decoder = DeepJsccEncoder((1, 8, 8), 32), DeepJsccDecoder((1, 8, 8), 32)
    # Smooth images: a few random pixels, enlarged.
    images = functional.interpolate(
        uniform((8, 1, 3, 3), generator=generator(0)), (8, 8), mode="bilinear"
    )
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        loss = functional.mse_loss(decoder(encoder(images)), images)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * losses[0]


def test_dark_images_do_not_end_as_black_ones() -> None:
    # Bright dots on black, as in a drawing. From grey, the same training ends at black pictures.
    dots = (uniform((256, 1, 28, 28), generator=generator(1)) > 0.985).float()
    images = functional.max_pool2d(dots, 3, 1, 1)
    with seeded(0):
        encoder, decoder = DeepJsccEncoder((1, 28, 28), 196), DeepJsccDecoder((1, 28, 28), 196)
    decoder.prepare((images * 255).byte())
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(weights, lr=3e-3)
    for step in range(120):
        batch = images[step % 4 :: 4]
        loss = (decoder(encoder(batch)) - batch).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.9 * images.square().mean().item()
