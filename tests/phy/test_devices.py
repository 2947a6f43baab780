"""Nothing moves between devices: the meta device refuses every copy and every read-back."""

import torch

from semveil.phy import (
    OFDM,
    Constellation,
    awgn,
    clip,
    exponential_profile,
    flat,
    lmmse_flat,
    mmse,
    multipath_taps,
    normalise_power,
    papr_db,
    rayleigh,
    rician,
    zadoff_chu,
)


def test_flat_chain_stays_where_it_is():
    z = normalise_power(torch.ones(4, 6, dtype=torch.complex64, device="meta"))
    snr_db = torch.ones(4, device="meta")
    for h in (rayleigh(4, device="meta"), rician(4, 3.0, device="meta")):
        y = awgn(flat(h, clip(z, 1.2)), snr_db)
        estimate = lmmse_flat(y, zadoff_chu(6, device="meta"), 0.1)
        assert mmse(y, estimate, 0.1).device.type == "meta"
    assert papr_db(z).device.type == "meta"


def test_ofdm_chain_stays_where_it_is():
    data = torch.ones(4, 3, 64, dtype=torch.complex64, device="meta")
    profile = exponential_profile(8, 4.0, device="meta")
    taps = multipath_taps(4, profile)
    out = OFDM().link(data, taps, 10.0, profile=profile, clip_ratio=1.2)
    assert out.symbols.shape == data.shape
    assert out.symbols.device.type == out.error_variance.device.type == "meta"


def test_modulation_stays_where_it_is():
    bits = torch.zeros(4, 24, dtype=torch.uint8, device="meta")
    for constellation in (Constellation("qam", 64), Constellation("psk", 8)):
        z = constellation.modulate(bits)
        assert constellation.hard(z).device.type == "meta"
        assert constellation.soft(z, 0.1).device.type == "meta"
