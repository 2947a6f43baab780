"""Rotations of larger blocks: secret, exact for Bob, over OFDM too, and what a relay may do."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from semveil.channel import Channel, OfdmChannel
from semveil.errors import SemveilError
from semveil.protect.invariant import block_factors
from semveil.protect.keyed_transform import as_reals, decrypt_features
from semveil.protect.keys import research_key
from semveil.protect.normalise import Blocks, normalise_blocks, require_norm
from semveil.protect.rotation import Rotation
from semveil.rng import generator, normal

KEY = research_key(0)
KINDS = [Blocks(3), Blocks(8), Blocks(4, stride=6), Blocks(2, stride=3)]
LEVEL = 1e-3


def waveform(blocks, count=20, dtype=torch.float32):
    latent = normal((count, 48), generator=generator(0, "latent"), dtype=dtype)
    return normalise_blocks(latent, blocks)


@pytest.mark.parametrize("blocks", KINDS)
def test_blocks_are_whole_and_found_again(blocks):
    places = torch.arange(24).unsqueeze(0)
    found = blocks.gather(places)
    assert found.shape == (1, 24 // blocks.size, blocks.size)
    assert (found.diff(dim=2) == blocks.stride).all()
    assert torch.equal(blocks.scatter(found), places)


@pytest.mark.parametrize("blocks", KINDS)
def test_every_block_has_the_energy_of_its_symbols_and_keeps_its_direction(blocks):
    latent = normal((20, 48), generator=generator(0, "latent"))
    z = normalise_blocks(latent, blocks)
    require_norm(z, blocks)
    energy = blocks.gather(z).abs().square().sum(2)
    assert torch.allclose(energy, torch.tensor(float(blocks.size)), rtol=1e-5)
    given = blocks.gather(torch.view_as_complex(latent.unflatten(1, (-1, 2))))
    ratio = blocks.gather(z) / given
    assert torch.allclose(ratio, ratio[:, :, :1].expand_as(ratio), rtol=1e-4)
    assert torch.allclose(ratio.imag, torch.zeros(()), atol=1e-4)


@pytest.mark.parametrize("blocks", KINDS)
def test_bob_gets_back_what_alice_sent(blocks):
    z, messages = waveform(blocks, dtype=torch.float64), torch.arange(20)
    rotation = Rotation(KEY, blocks=blocks)
    sent = rotation.encrypt(z, messages)
    assert torch.allclose(rotation.decrypt(sent, messages), z, atol=1e-9)
    assert not torch.allclose(sent, z, atol=0.1)
    # Nothing of one block reaches another.
    alone = blocks.gather(z)
    alone[:, 1:] = 0
    turned = blocks.gather(rotation.decrypt(blocks.scatter(alone), messages))
    assert float(turned[:, 1:].abs().max()) < 1e-9


@pytest.mark.parametrize("blocks", [Blocks(3), Blocks(4, stride=6)])
def test_a_block_is_uniform_on_its_sphere_whatever_the_image(blocks):
    count, size = 3000, 2 * blocks.size
    rotation, messages = Rotation(KEY, blocks=blocks), torch.arange(count)
    directions = normal((6, size), generator=generator(0, "directions"))
    directions = directions / directions.norm(dim=1, keepdim=True)
    for image in waveform(blocks, 2):
        sent = blocks.gather(rotation.encrypt(image.expand(count, -1), messages))[:, 1]
        shadows = (as_reals(sent) / blocks.size**0.5) @ directions.T
        for shadow in shadows.T:
            # x² of a coordinate of a uniform point on the sphere in n dimensions.
            law = stats.beta(0.5, (size - 1) / 2)
            assert stats.kstest(shadow.square(), law.cdf).pvalue > LEVEL / 24


@pytest.mark.parametrize("csi", ["perfect", "estimated"])
def test_over_ofdm_blocks_on_one_subcarrier_commute_with_the_channel(csi):
    channel = OfdmChannel(csi=csi, subcarriers=16, prefix=8, taps=6)
    blocks, messages = Blocks(4, stride=16), torch.arange(10)
    z = normalise_blocks(normal((10, 128), generator=generator(1)), blocks)
    rotation = Rotation(KEY, blocks=blocks)

    def heard(sent):
        # At 60 dB the noise is next to nothing, and one stream gives both the same fading.
        return channel(sent, 60.0, generator=generator(2))

    plain = heard(z).features()
    keyed = decrypt_features(
        heard(rotation.encrypt(z, messages)).features(),
        lambda symbols: rotation.decrypt(symbols, messages),
    )
    assert torch.allclose(keyed, plain, atol=0.05)
    # Blocks across subcarriers mix symbols of different gains.
    across = Rotation(KEY, blocks=Blocks(4))
    z = normalise_blocks(normal((10, 128), generator=generator(1)), Blocks(4))
    mixed = decrypt_features(
        channel(across.encrypt(z, messages), 5.0, generator=generator(2)).features(),
        lambda symbols: across.decrypt(symbols, messages),
    )
    apart = (mixed - channel(z, 5.0, generator=generator(2)).features()).abs().mean()
    assert float(apart) > 0.1


def test_noise_stays_white_behind_the_key():
    blocks, count = Blocks(6), 4000
    rotation = Rotation(KEY, blocks=blocks)
    drawn = normal((count, 6), dtype=torch.complex64, generator=generator(3))
    turned = as_reals(rotation.decrypt(drawn, torch.arange(count)))
    covariance = torch.cov(turned.T)
    # 3.9 standard deviations of a covariance of so many draws.
    assert float((covariance - 0.5 * torch.eye(12)).abs().max()) < 3.9 * (0.5 / count) ** 0.5


@pytest.mark.parametrize("blocks", KINDS[:3])
def test_a_factor_of_a_block_survives_the_key_and_one_of_a_symbol_does_not(blocks):
    z, messages = waveform(blocks, dtype=torch.float64), torch.arange(20)
    rotation = Rotation(KEY, blocks=blocks)
    maps = block_factors(blocks)
    count = maps.size(24)
    assert count == 24 // blocks.size
    factors = normal((1, count), dtype=torch.complex128, generator=generator(4))
    sent = rotation.encrypt(z, messages)
    through = rotation.decrypt(maps.apply(factors, sent), messages)
    assert torch.allclose(through, maps.apply(factors, z), atol=1e-9)
    each = normal((1, 24), dtype=torch.complex128, generator=generator(5))
    assert not torch.allclose(rotation.decrypt(each * sent, messages), each * z, atol=0.1)
    assert rotation.invariant_maps.name == maps.name


def test_other_norms_and_other_numbers_are_refused():
    blocks = Blocks(4)
    rotation = Rotation(KEY, blocks=blocks)
    with pytest.raises(SemveilError, match="norm of unit power"):
        rotation.encrypt(waveform(Blocks(3)), torch.arange(20))
    with pytest.raises(SemveilError, match="10 symbols are no whole blocks of 4"):
        rotation.encrypt(torch.ones(1, 10) + 0j, torch.arange(1))
    with pytest.raises(SemveilError, match="no whole blocks of 4 on 16 subcarriers"):
        Blocks(4, stride=16).check(32)
    # Flat fading commutes with any block.
    z = waveform(blocks)
    heard = Channel("rayleigh")(rotation.encrypt(z, torch.arange(20)), 50.0, generator=generator(6))
    found = rotation.decrypt(heard.symbols / heard.csi, torch.arange(20))
    assert float((found - z).abs().median()) < 0.05
