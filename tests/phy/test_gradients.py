"""Exact derivatives of everything flat, in double precision."""

import pytest
import torch

from semveil.phy import (
    Constellation,
    average_power,
    awgn,
    flat,
    lmmse_flat,
    mmse,
    normalise_power,
    papr_db,
    zadoff_chu,
    zero_forcing,
)
from semveil.rng import generator, normal

PILOTS = zadoff_chu(5, dtype=torch.complex128)
FUNCTIONS = {
    "normalise_power": lambda z, h: normalise_power(z),
    "average_power": lambda z, h: average_power(z),
    "papr_db": lambda z, h: papr_db(z),
    "awgn": lambda z, h: awgn(z, 3.0, generator=generator(0)),
    "flat": lambda z, h: flat(h, z),
    "zero_forcing": lambda z, h: zero_forcing(z, h),
    "mmse": lambda z, h: mmse(z, h, 0.3),
    "lmmse_flat": lambda z, h: lmmse_flat(z * h, PILOTS, 0.3),
    "max-log": lambda z, h: Constellation("qam", 64).soft(z, 0.1, method="max-log"),
    "log-map": lambda z, h: Constellation("qam", 16).soft(z, 0.1),
    "psk": lambda z, h: Constellation("psk", 8).soft(z, 0.1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_is_exact(name):
    z = normal((3, 5), dtype=torch.complex128, generator=generator(0, "z")).requires_grad_()
    h = normal((3, 1), dtype=torch.complex128, generator=generator(0, "h")).requires_grad_()
    assert torch.autograd.gradcheck(FUNCTIONS[name], (z, h))


def test_mapping_is_differentiable_in_soft_bits():
    bits = torch.rand(2, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Constellation("qam", 64).modulate, (bits,))
