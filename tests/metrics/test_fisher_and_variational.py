"""Information bounds against closed forms."""

import math

import pytest
import torch

from semveil.metrics.fisher import dfil
from semveil.metrics.variational import info_nce
from semveil.rng import generator, normal


def linear(matrix):
    def transmit(images):
        sent = images.flatten(1) @ matrix.T
        return torch.view_as_complex(sent.unflatten(1, (-1, 2)).contiguous())

    return transmit


def test_dfil_of_a_linear_map_is_its_squared_norm():
    matrix = normal((6, 16), generator=generator(0))
    images = torch.rand(500, 1, 4, 4, generator=generator(1))
    found = dfil(linear(matrix), images, 0.2, generator(2), probes=8)
    expected = float(matrix.square().sum()) / 0.1 / 16
    # Hutchinson's variance: 2 (‖JJᵀ‖² − Σ diag²) per probe; four standard errors of 4000 probes.
    gram = (matrix @ matrix.T) / 0.1 / 16
    variance = 2 * float(gram.square().sum() - gram.diagonal().square().sum())
    assert float(found.mean()) == pytest.approx(expected, abs=4 * (variance / 4000) ** 0.5)


def test_dfil_of_a_curved_map_agrees_with_its_jacobian():
    matrix = normal((8, 9), generator=generator(3))

    def transmit(images):
        return linear(matrix)(torch.tanh(2 * images))

    images = torch.rand(2, 1, 3, 3, generator=generator(4))
    found = dfil(transmit, images, 1.0, generator(5), probes=4000)
    for image, value in zip(images, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda x: torch.view_as_real(transmit(x[None])).flatten(), image
        )
        assert float(value) == pytest.approx(float(jacobian.square().sum()) / 0.5 / 9, rel=0.05)


def test_the_best_unbiased_reconstructor_meets_the_bound():
    """An invertible scaled orthogonal map: least squares is unbiased, and efficient."""
    rotation = torch.linalg.qr(normal((16, 16), generator=generator(6))).Q
    images = torch.rand(2000, 1, 4, 4, generator=generator(7))
    transmit = linear(3 * rotation)
    noise = 0.3
    heard = torch.view_as_real(transmit(images)).flatten(1)
    heard = heard + (noise / 2) ** 0.5 * normal(tuple(heard.shape), generator=generator(8))
    rebuilt = heard @ rotation / 3
    error = float((rebuilt - images.flatten(1)).square().mean())
    bound = 1 / dfil(transmit, images[:1], noise, generator(9), probes=2000)
    assert error == pytest.approx(float(bound), rel=0.05)


def test_dfil_scales_with_the_snr_and_refuses_none():
    matrix = normal((4, 4), generator=generator(10))
    images = torch.rand(3, 1, 2, 2, generator=generator(11))
    loud = dfil(linear(matrix), images, 0.1, generator(12))
    assert torch.allclose(loud, 10 * dfil(linear(matrix), images, 1.0, generator(12)))
    with pytest.raises(ValueError, match="noise"):
        dfil(linear(matrix), images, 0.0, generator(12))


def gaussian_scores(correlation, n, source):
    """Return the best critic's scores of pairs of correlated standard normals, ``[n, n]``."""
    x, e = normal((2, n), generator=source)
    y = correlation * x + math.sqrt(1 - correlation**2) * e
    return -((y[:, None] - correlation * x[None]) ** 2) / (2 * (1 - correlation**2))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_the_best_critic_meets_the_closed_form_for_gaussians(correlation):
    source = generator(13)
    values = torch.cat([info_nce(gaussian_scores(correlation, 1000, source)) for _ in range(10)])
    truth = -0.5 * math.log(1 - correlation**2)
    # Four standard errors, and the bias of a thousand candidates.
    tolerance = 4 * float(values.std()) / len(values) ** 0.5 + 0.005
    assert float(values.mean()) == pytest.approx(truth, abs=tolerance)


def test_the_bound_never_exceeds_its_ceiling():
    perfect = info_nce(1e4 * torch.eye(64).expand(3, 64, 64))
    assert perfect.shape == (3, 64)
    assert perfect.flatten().tolist() == pytest.approx([math.log(64)] * 192)
    random = info_nce(100 * normal((64, 64), generator=generator(14)))
    assert float(random.max()) <= math.log(64) + 1e-5
    assert float(random.mean()) < 0
    with pytest.raises(ValueError, match="N, N"):
        info_nce(torch.zeros(3, 4))
