"""Laplace noise: its law, the bounds that make a guarantee, and the power that leaves."""

import math
import subprocess
import sys

import pytest
import torch
from scipy import stats

from semveil.errors import SemveilError
from semveil.phy import average_power
from semveil.protect.laplace import DpConfig, Laplace, clip_l1
from semveil.recipe import check
from semveil.rng import Shard, generator, normal

DIM = 16


def _genuine(epsilon=0.9, clip=4.0):
    return Laplace(DpConfig(reading="genuine", epsilon=epsilon, clip=clip), DIM)


def _paper(epsilon=0.1, scale=0.1):
    return Laplace(DpConfig(reading="paper", epsilon=epsilon, scale=scale), DIM)


def _features(count, seed=0, spread=1.0):
    return spread * normal((count, DIM), generator=generator(seed, "features"))


@pytest.mark.parametrize("layer", [_genuine(), _paper()], ids=["genuine", "paper"])
def test_noise_is_laplace_of_the_stated_scale_and_independent(layer):
    features = _features(1).expand(20_000, DIM)
    noise = layer(features, generator(1)).double() - layer.bound(features)
    law = stats.laplace(scale=layer.noise_scale)
    assert stats.kstest(noise.flatten().numpy(), law.cdf).pvalue > 0.01
    # Under independence each of the 120 coefficients is N(0, 1/n): five deviations.
    correlation = torch.corrcoef(noise.T) - torch.eye(DIM)
    assert correlation.abs().max() < 5 / math.sqrt(20_000)


def test_tail_of_the_noise_is_there():
    noise = _paper()(torch.zeros(200_000, DIM), generator(2))
    # 3.2 million draws: the largest is ln(3.2e6) = 15 scales on average, with a deviation of 1.3.
    assert 11 < noise.abs().max() < 24


def test_clipping_keeps_vectors_inside_the_ball_and_the_others_as_they_are():
    features = torch.cat(
        [_features(50, spread=3.0), _features(50, spread=0.01), torch.zeros(1, DIM)]
    )
    bounded = clip_l1(features.double(), 4.0)
    norms = features.double().abs().sum(1)
    torch.testing.assert_close(bounded.abs().sum(1), norms.clamp(max=4.0))
    torch.testing.assert_close(bounded[50:], features[50:].double())
    assert (torch.cosine_similarity(bounded[:50], features[:50].double()) > 1 - 1e-9).all()


@pytest.mark.parametrize("layer", [_genuine(), _paper()], ids=["genuine", "paper"])
def test_no_two_inputs_are_further_apart_than_the_sensitivity_and_some_are_that_far(layer):
    wild = torch.cat([_features(200, spread=s) for s in (1e-3, 1.0, 1e6)])
    bounded = layer.bound(wild)
    assert torch.cdist(bounded, bounded, p=1).max() <= layer.sensitivity * (1 + 1e-12)
    worst = layer.bound(torch.stack([torch.ones(DIM), -torch.ones(DIM)]))
    assert (worst[0] - worst[1]).abs().sum().item() == pytest.approx(layer.sensitivity)


def test_budgets_of_the_whole_vector():
    assert _genuine(0.9).vector_epsilon == pytest.approx(0.9)
    # Published as 0.1; unit power per real leaves 2·16 between two images, and b is 1.
    assert _paper(epsilon=0.1, scale=0.1).vector_epsilon == pytest.approx(32.0)


@pytest.mark.parametrize(("epsilon", "snr_db"), [(0.05, -9.03), (0.1, -3.01), (0.9, 16.07)])
def test_paper_readings_noise_power(epsilon, snr_db):
    layer = _paper(epsilon)
    assert layer.feature_snr_db == pytest.approx(snr_db, abs=0.01)
    features = _features(5000)
    clean = layer.bound(features)
    torch.testing.assert_close(clean.square().mean(1), torch.ones(5000, dtype=torch.double))
    noise = layer(features, generator(3)) - clean
    measured = 10 * torch.log10(clean.square().mean() / noise.square().mean())
    assert abs(measured - snr_db) < 0.1


def test_paper_waveform_has_unit_power_per_image():
    layer = _paper()
    z = layer.to_waveform(layer(_features(100), generator(4)))
    assert z.shape == (100, DIM // 2)
    torch.testing.assert_close(average_power(z), torch.ones(100))


def test_genuine_waveform_is_one_constant_times_the_features_in_evaluation():
    layer = _genuine().eval()
    noisy = layer(_features(100), generator(5))
    together = layer.to_waveform(noisy)
    alone = torch.cat([layer.to_waveform(row[None]) for row in noisy])
    torch.testing.assert_close(together, alone, rtol=0, atol=0)
    torch.testing.assert_close(
        torch.view_as_real(together).flatten(1) / noisy, layer.gain.float().expand_as(noisy)
    )
    assert average_power(together).std() > 0.05


# Budgets so large that the signal is most of the power, and so small that the noise is.
@pytest.mark.parametrize("epsilon", [0.9, 1000.0])
def test_genuine_mean_power_is_one_after_training(epsilon):
    layer = _genuine(epsilon)
    for step in range(50):
        layer(_features(200, seed=step, spread=0.3), generator(step))
    layer.eval()
    frozen = layer.energy.clone()
    z = layer.to_waveform(layer(_features(50_000, seed=99, spread=0.3), generator(6)))
    assert average_power(z).mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(layer.energy, frozen)


def test_power_is_at_most_one_before_training():
    layer = _genuine(epsilon=1000.0).eval()
    z = layer.to_waveform(layer(100 * torch.eye(DIM), generator(7)))
    assert average_power(z).mean() <= 1.001


def test_the_gain_follows_an_encoder_that_changes():
    layer = _genuine(epsilon=1000.0)
    for step in range(1000):
        layer(_features(50, seed=step, spread=0.01 if step < 400 else 0.2), generator(step))
    expected = layer.bound(_features(20_000, seed=-1, spread=0.2)).square().sum(1).mean()
    assert layer.energy.item() == pytest.approx(expected.item(), rel=0.05)


def test_the_gain_is_saved_with_the_weights():
    layer = _genuine()
    layer(_features(10), generator(8))
    other = _genuine()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.gain, layer.gain)
    assert not torch.equal(_genuine().gain, layer.gain)


_SHARE = """
import sys, torch
from torch import distributed
from semveil.protect.laplace import Laplace
from semveil.protect.laplace import DpConfig
from semveil.recipe import check
from semveil.rng import Shard, generator

store, rank = sys.argv[1], int(sys.argv[2])
distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
layer = Laplace(DpConfig(reading="genuine", clip=4.0), 2)
for step in (1, 2):
    layer((step + rank) * torch.eye(2)[rank : rank + 1], Shard(generator(step), rank, of=2))
print(float(layer.energy))
distributed.barrier()
distributed.destroy_process_group()
"""


def test_processes_that_share_batches_note_the_same_energy(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _SHARE, str(tmp_path / "store"), str(rank)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    noted = [float(process.communicate(timeout=120)[0]) for process in processes]
    # Squares 1 and 4 in the first batch, 4 and 9 in the second.
    assert noted == pytest.approx([4.5, 4.5])


@pytest.mark.parametrize("layer", [_genuine(), _paper()], ids=["genuine", "paper"])
def test_gradients_are_exact(layer):
    layer.eval()
    for scale in (0.1, 3.0):
        features = _features(3, spread=scale).double().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda f, layer=layer: layer.to_waveform(layer(f, generator(9))), (features,)
        )
    zero = torch.zeros(2, DIM, requires_grad=True)
    (grad,) = torch.autograd.grad(layer(zero, generator(9)).sum(), zero)
    assert grad.isfinite().all()


@pytest.mark.parametrize("layer", [_genuine(), _paper()], ids=["genuine", "paper"])
def test_the_seed_decides_and_a_shard_is_its_rows(layer):
    layer.eval()
    features = _features(6)
    whole = layer(features, generator(10))
    assert torch.equal(whole, layer(features, generator(10)))
    assert not torch.equal(whole, layer(features, generator(11)))
    second = layer(features[3:], Shard(generator(10), rank=1, of=2))
    torch.testing.assert_close(second, whole[3:])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": 0.0}, "dp.epsilon"),
        ({"epsilon": -1.0}, "dp.epsilon"),
        ({"epsilon": math.nan}, "dp.epsilon"),
        ({"epsilon": math.inf}, "dp.epsilon"),
        ({"clip": None}, "dp.clip: the genuine reading needs a clipping radius"),
    ],
)
def test_settings_that_guarantee_nothing_are_refused(changes, message):
    settings = {"reading": "genuine", "epsilon": 1.0, "scale": 0.1, "clip": 1.0} | changes
    with pytest.raises(SemveilError, match=message):
        Laplace.of(check({"dp": settings}), DIM)


@pytest.mark.parametrize("dim", [0, 3])
def test_odd_dimensions_are_refused(dim):
    with pytest.raises(ValueError, match="must be even"):
        Laplace(DpConfig(), dim)
