"""Peak limiting: what it limits, what it keeps, and its two gradients."""

import pytest
import torch

from semveil.phy import average_power, clip, normalise_power, papr_db
from semveil.rng import generator, normal


def _waveform(dtype=torch.complex64):
    return normal((4, 300), dtype=dtype, generator=generator(0))


@pytest.mark.parametrize("straight_through", [False, True])
def test_amplitude_is_limited_per_image_and_phase_kept(straight_through):
    z = _waveform()
    z[0] *= 100
    out = clip(z, 1.2, straight_through=straight_through)
    limit = 1.2 * average_power(z).sqrt()
    torch.testing.assert_close(out.abs().amax(1), limit)
    torch.testing.assert_close(out / out.abs(), z / z.abs(), rtol=1e-3, atol=1e-4)
    quiet = z.abs() < 0.999 * limit.unsqueeze(1)
    torch.testing.assert_close(out[quiet], z[quiet])


def test_limiting_lowers_the_peaks_after_renormalisation():
    out = normalise_power(clip(_waveform(), 1.2))
    assert (papr_db(out) < papr_db(_waveform()) - 3).all()


def test_straight_through_passes_the_gradient():
    z = _waveform().requires_grad_()
    weight = normal((4, 300), dtype=torch.complex64, generator=generator(1))
    (grad,) = torch.autograd.grad((clip(z, 0.5) * weight).real.sum(), z)
    torch.testing.assert_close(grad, weight.conj().resolve_conj())


def test_exact_gradient_is_exact_and_finite_at_zero():
    z = _waveform(torch.complex128)[:2, :6].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: clip(v, 0.9, straight_through=False), (z,))
    zero = torch.zeros(1, 4, dtype=torch.complex64, requires_grad=True)
    (grad,) = torch.autograd.grad(clip(zero, 1.0, straight_through=False).real.sum(), zero)
    assert grad.isfinite().all()


@pytest.mark.parametrize("ratio", [0.0, -1.0, float("nan")])
def test_an_impossible_ratio_is_refused(ratio):
    with pytest.raises(ValueError, match="clipping ratio must be positive"):
        clip(_waveform(), ratio)
