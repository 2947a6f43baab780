"""Power and power ratios are counted per image."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.phy import average_power, measured_snr_db, normalise_power, papr_db, psr_db
from semveil.rng import generator, normal


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(1, 5),
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    exponent=st.integers(-30, 30),
    dtype=st.sampled_from([torch.complex64, torch.complex128]),
)
def test_any_signal_gets_unit_power(batch, shape, exponent, dtype):
    z = 10.0**exponent * normal((batch, *shape), dtype=dtype, generator=generator(0, exponent))
    out = normalise_power(z)
    assert out.shape == z.shape
    assert out.dtype == dtype
    torch.testing.assert_close(average_power(out), torch.ones_like(average_power(out)))
    # the gain is a positive number: nothing is turned
    assert torch.allclose(torch.angle(out), torch.angle(z), atol=1e-4)


def test_a_loud_image_does_not_borrow_from_its_batch():
    z = normal((64, 128), dtype=torch.complex64, generator=generator(1))
    alone = normalise_power(z)
    z[0] *= 1000
    together = normalise_power(z)
    torch.testing.assert_close(together, alone)


def test_silence_stays_silent_and_differentiable():
    z = torch.zeros(2, 4, dtype=torch.complex64)
    z[1] = 1
    z.requires_grad_()
    out = normalise_power(z)
    assert (out[0] == 0).all()
    (grad,) = torch.autograd.grad(out.real.sum(), z)
    assert grad.isfinite().all()


def test_conjugate_views_are_read_correctly():
    z = normal((2, 3), dtype=torch.complex64, generator=generator(2))
    torch.testing.assert_close(normalise_power(z.conj()), normalise_power(z).conj().resolve_conj())
    torch.testing.assert_close(average_power(z.conj()), average_power(z))


def test_papr_of_a_tone_and_of_an_impulse():
    tone = torch.polar(torch.ones(1, 16), torch.arange(16.0).unsqueeze(0))
    impulse = torch.zeros(1, 16, dtype=torch.complex64)
    impulse[0, 3] = 1j
    assert papr_db(tone).item() == pytest.approx(0, abs=1e-4)
    assert papr_db(impulse).item() == pytest.approx(10 * math.log10(16), abs=1e-4)


def test_ratios_are_per_image_over_all_other_dimensions():
    signal = torch.ones(2, 3, 4, dtype=torch.complex64)
    delta = torch.stack([0.1 * signal[0], 1j * signal[1]])
    torch.testing.assert_close(psr_db(delta, signal), torch.tensor([-20.0, 0.0]))
    torch.testing.assert_close(measured_snr_db(signal, signal + delta), torch.tensor([20.0, 0.0]))
