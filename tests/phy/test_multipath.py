"""Linear convolution and the transfer function."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.phy import convolve, frequency_response
from semveil.rng import generator, normal


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(1, 4), n=st.integers(1, 40), taps=st.integers(1, 12), seed=st.integers(0, 9)
)
def test_convolution_is_numpys(batch, n, taps, seed):
    z = normal((batch, n), dtype=torch.complex128, generator=generator(seed, "z"))
    h = normal((batch, taps), dtype=torch.complex128, generator=generator(seed, "h"))
    expected = np.stack([np.convolve(a, b) for a, b in zip(z.numpy(), h.numpy(), strict=True)])
    torch.testing.assert_close(convolve(z, h), torch.from_numpy(expected))


@pytest.mark.parametrize(("n", "taps"), [(6, 3), (3, 6)])
def test_convolution_is_differentiable_twice(n, taps):
    z = normal((2, n), dtype=torch.complex128, generator=generator(0, "z")).requires_grad_()
    h = normal((2, taps), dtype=torch.complex128, generator=generator(0, "h")).requires_grad_()
    assert torch.autograd.gradcheck(convolve, (z, h))
    assert torch.autograd.gradgradcheck(convolve, (z, h))


def test_taps_are_not_shared_by_a_batch():
    with pytest.raises(ValueError, match="not \\[B, N\\] and \\[B, L\\]"):
        convolve(torch.zeros(3, 8) + 0j, torch.zeros(1, 2) + 0j)


def test_frequency_response_is_the_transfer_function():
    h = normal((2, 3), dtype=torch.complex128, generator=generator(1))
    k, delay = torch.arange(8.0, dtype=torch.float64), torch.arange(3.0, dtype=torch.float64)
    kernel = torch.exp(-2j * torch.pi * k.unsqueeze(1) * delay / 8)
    torch.testing.assert_close(frequency_response(h, 8), h @ kernel.T)
    with pytest.raises(ValueError, match="3 taps do not fit 2 subcarriers"):
        frequency_response(h, 2)
