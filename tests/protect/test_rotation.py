"""Rotations: isometries that Bob undoes exactly, over any flat channel, and nobody else."""

from __future__ import annotations

import pytest
import torch
from scipy import linalg, stats
from torch import Tensor

from semveil import phy
from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.phy.qam import Constellation
from semveil.protect.hadamard import hadamard
from semveil.protect.keys import research_key
from semveil.protect.normalise import PAIRS, Blocks, normalise_blocks, require_norm
from semveil.protect.rotation import Form, Rotation
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator, normal

KEY = research_key(0, "rotation")
FORMS: list[Form] = ["blocks", "haar", "structured"]


def _waveform(count: int, d: int = 32, dtype: torch.dtype = torch.float32) -> Tensor:
    return normalise_blocks(normal((count, d), dtype=dtype, generator=generator(0, "latent")))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [4, 12, 128])
def test_bob_gets_what_was_sent_and_every_norm_is_kept(form: Form, d: int) -> None:
    rotation, z, messages = Rotation(KEY, form), _waveform(40, d), torch.arange(40) * 5
    sent = rotation.encrypt(z, messages)
    assert (rotation.decrypt(sent, messages) - z).abs().max() < 1e-5
    block = 2 if form == "blocks" else d // 2
    norms = sent.abs().square().unflatten(1, (-1, block)).sum(2).sqrt()
    assert (norms / block**0.5 - 1).abs().max() < 1e-5
    assert (sent - z).abs().square().mean() > 1


@pytest.mark.parametrize("form", FORMS)
def test_every_message_has_its_own_wherever_it_stands(form: Form) -> None:
    rotation, z = Rotation(KEY, form), _waveform(1).expand(30, -1)
    sent = rotation.encrypt(z, torch.arange(30))
    assert torch.pdist(torch.view_as_real(sent).flatten(1)).min() > 1
    order = torch.randperm(30, generator=generator(0))
    assert torch.allclose(rotation.encrypt(z, order), sent[order], atol=1e-6)


def test_names_and_unknown_forms() -> None:
    assert [Rotation(KEY, form).name for form in FORMS] == [
        "rotation",
        "rotation/haar",
        "rotation/structured",
    ]
    with pytest.raises(SemveilError, match="did you mean 'blocks'"):
        Rotation(KEY, "block")  # type: ignore[arg-type]
    with pytest.raises(SemveilError, match="32 bytes"):
        Rotation(bytes(5))


@pytest.mark.parametrize("form", ["blocks", "haar"])
def test_it_commutes_with_any_flat_channel(form: Form) -> None:
    rotation, z, messages = Rotation(KEY, form), _waveform(25), torch.arange(25)
    h = phy.rayleigh(25, generator=generator(0, "h"))
    assert torch.allclose(rotation.decrypt(h * z, messages), h * rotation.decrypt(z, messages))
    assert torch.allclose(rotation.encrypt(z, messages) * h, h * rotation.encrypt(z, messages))


@pytest.mark.parametrize("form", ["blocks", "haar"])
@pytest.mark.parametrize("csi", ["perfect", "estimated"])
def test_bobs_features_are_those_of_the_uncovered_link_with_turned_noise(
    form: Form, csi: str
) -> None:
    rotation, z, messages = Rotation(KEY, form), _waveform(25), torch.arange(25)
    heard, plain = (
        Channel("rayleigh", csi)(sent, 10.0, generator=generator(0, "channel"))  # type: ignore[arg-type]
        for sent in (rotation.encrypt(z, messages), z)
    )
    # The same fading and noise: the coefficient as Bob knows it does not depend on the rotation.
    assert torch.equal(heard.csi, plain.csi)
    equalised = phy.mmse(heard.symbols, heard.csi, heard.noise_variance)
    decrypted = rotation.decrypt(equalised, messages)
    h = phy.rayleigh(25, generator=generator(0, "channel"))
    noise = plain.symbols - h * z
    turned = h * z + rotation.decrypt(noise, messages)
    expected = phy.mmse(turned, heard.csi, heard.noise_variance)
    assert torch.allclose(decrypted, expected, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_white_noise_stays_white_and_circular(form: Form) -> None:
    count, k = 3000, 4
    noise = normal((count, k), dtype=torch.complex128, generator=generator(0, "noise"))
    turned = Rotation(KEY, form).decrypt(noise, torch.arange(count))
    parts = torch.view_as_real(turned).flatten(1)
    # 99 % confidence for all eight reals together.
    for column in parts.T:
        assert stats.kstest(column * 2**0.5, "norm").pvalue > 0.01 / 8
    # Each entry of the covariance of the 8 reals has a standard error of at most √2/2/√n.
    covariance = parts.T @ parts / count
    error = (covariance - 0.5 * torch.eye(8)).abs().max()
    assert error < 4 * 2**-0.5 / count**0.5


def test_a_phase_error_passes_through_complex_linear_forms_only() -> None:
    z, messages = _waveform(50), torch.arange(50)
    phase = torch.polar(torch.tensor(1.0), torch.tensor(0.5))
    for form in ("blocks", "haar"):
        rotation = Rotation(KEY, form)
        found = rotation.decrypt(phase * rotation.encrypt(z, messages), messages)
        assert torch.allclose(found, phase * z, atol=1e-5)
    # Real orthogonal maps send sin(½) of every symbol elsewhere instead of turning it: an error of
    # about 2·sin²(½) = 0.46 per symbol.
    for cover in (Rotation(KEY, "structured"), Shuffle(KEY)):
        found = cover.decrypt(phase * cover.encrypt(z, messages), messages)
        assert 0.36 < (found - phase * z).abs().square().mean() < 0.56


def test_symbols_of_unlike_gain_leave_no_cross_talk_if_zero_forced() -> None:
    # What docs/rotation.md says of frequency-selective channels.
    rotation, z = Rotation(KEY), _waveform(50, dtype=torch.float64)
    messages = torch.arange(50)
    h = normal(z.shape, dtype=z.dtype, generator=generator(0, "h"))
    received = h * rotation.encrypt(z, messages)
    forced = rotation.decrypt(phy.zero_forcing(received, h), messages)
    assert torch.allclose(forced, z)
    shrunk = rotation.decrypt(phy.mmse(received, h, 0.1), messages)
    gain = h.abs().square() / (h.abs().square() + 0.1)
    assert (shrunk - gain * z).abs().square().mean() > 1e-2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrong", ["key", "counter", "form"])
def test_a_wrong_key_counter_or_form_gives_garbage(form: Form, wrong: str) -> None:
    count = 1000
    # One of ten codewords: what Bob tells them apart by is at chance.
    book = _waveform(10)
    classes = torch.arange(count) % 10
    z, messages = book[classes], torch.arange(count)
    sent = Rotation(KEY, form).encrypt(z, messages)

    def accuracy(found: Tensor) -> float:
        return float(((found @ book.mH).real.argmax(1) == classes).double().mean())

    assert accuracy(Rotation(KEY, form).decrypt(sent, messages)) == 1.0
    other = {
        "key": (Rotation(research_key(1), form), messages),
        "counter": (Rotation(KEY, form), messages + count),
        "form": (Rotation(KEY, FORMS[FORMS.index(form) - 1]), messages),
    }[wrong]
    found = other[0].decrypt(sent, other[1])
    # 99.7 %: three standard errors of a chance of one in ten, and of the inner product, whose
    # variance per block of two symbols is at most 4.
    assert abs(accuracy(found) - 0.1) < 3 * (0.09 / count) ** 0.5
    assert (found.conj() * z).sum(1).real.mean().abs() < 3 * (16 * 4 / count) ** 0.5


@pytest.mark.parametrize("form", FORMS)
def test_gradients_flow_to_the_encoder(form: Form) -> None:
    rotation, messages = Rotation(KEY, form), torch.arange(3)
    latent = normal((3, 8), dtype=torch.float64, generator=generator(0)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: rotation.encrypt(normalise_blocks(x), messages), latent
    )
    symbols = torch.randn(3, 4, dtype=torch.complex128, generator=generator(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: rotation.decrypt(y, messages), symbols)


@pytest.mark.parametrize("form", FORMS)
def test_double_precision_is_kept(form: Form) -> None:
    rotation, z, messages = Rotation(KEY, form), _waveform(9, dtype=torch.float64), torch.arange(9)
    assert (rotation.decrypt(rotation.encrypt(z, messages), messages) - z).abs().max() < 1e-13


@pytest.mark.parametrize("form", FORMS)
def test_autocast_does_not_touch_it(form: Form) -> None:
    rotation, z, messages = Rotation(KEY, form), _waveform(9), torch.arange(9)
    with torch.autocast("cpu", torch.bfloat16):
        assert (rotation.decrypt(rotation.encrypt(z, messages), messages) - z).abs().max() < 1e-5


@pytest.mark.parametrize("size", [1, 2, 64])
def test_the_hadamard_transform_is_scipys(size: int) -> None:
    expected = torch.from_numpy(linalg.hadamard(size)).double() / size**0.5
    assert torch.allclose(hadamard(torch.eye(size, dtype=torch.float64)), expected)


def test_single_precision_is_as_near_as_docs_say() -> None:
    z, messages = _waveform(500, 128, torch.float64), torch.arange(500)
    exact, single = (
        Rotation(KEY).encrypt(z.to(kind), messages) for kind in (z.dtype, torch.complex64)
    )
    assert (exact - single).abs().square().mean().sqrt() < 3e-7


def test_no_symbol_has_more_than_twice_the_mean_power() -> None:
    sent = Rotation(KEY).encrypt(_waveform(500), torch.arange(500))
    # |z'|² is uniform in (0, 2): 8000 of them come within one percent of either end.
    power = sent.abs().square()
    assert 1.98 < power.max() < 2 + 1e-5
    assert 0 <= power.min() < 0.02


def test_norms_that_vary_are_refused_where_the_guarantee_rests_on_them() -> None:
    messages = torch.arange(6)
    loose = phy.normalise_power(
        normal((6, 8), dtype=torch.complex64, generator=generator(0, "loose"))
    )
    with pytest.raises(SemveilError, match="every block of 2 symbols"):
        Rotation(KEY).encrypt(loose, messages)
    Rotation(KEY, "haar").encrypt(loose, messages)
    loud = loose * torch.tensor([1, 1, 1, 1, 1, 1.00002]).unsqueeze(1)
    with pytest.raises(SemveilError, match=r"every image of 8 symbols .* off by 0.00\d+ %"):
        Rotation(KEY, "haar").encrypt(loud, messages)
    Rotation(KEY, "structured").encrypt(loud, messages)
    with pytest.raises(SemveilError, match="off by nan"):
        Rotation(KEY).encrypt(torch.full((1, 2), torch.nan) + 0j, torch.arange(1))


@pytest.mark.parametrize("form", FORMS)
def test_a_counter_used_twice_in_a_batch_is_refused(form: Form) -> None:
    rotation, z = Rotation(KEY, form), _waveform(4)
    with pytest.raises(SemveilError, match="used twice in a batch: 3"):
        rotation.encrypt(z, torch.tensor([3, 9, 0, 3]))
    # Bob may look at one message as often as he likes.
    sent = rotation.encrypt(z, torch.arange(4))
    again = rotation.decrypt(sent[:1].expand(4, -1), torch.zeros(4, dtype=torch.int64))
    assert torch.allclose(again, z[:1].expand(4, -1), atol=1e-5)


def test_rounding_is_far_from_the_tolerance() -> None:
    latent = normal((200, 4096), generator=generator(0, "wide"))
    for scale in (1e-20, 1.0, 1e20):
        blocks = normalise_blocks(latent * scale)
        pairs = torch.view_as_complex(latent.unflatten(1, (-1, 2))) * scale
        for z, size in ((blocks, 2), (phy.normalise_power(pairs), 2048)):
            norms = z.to(torch.complex128).abs().square().unflatten(1, (-1, size)).sum(2).sqrt()
            # A tenth of what `require_norm` allows.
            assert (norms / size**0.5 - 1).abs().max() < 1e-6
            require_norm(z, Blocks(size))
    for order in (2, 8, 1024):
        require_norm(Constellation("psk", order).points().reshape(1, -1), PAIRS)


def test_an_odd_number_of_symbols_is_refused() -> None:
    z = torch.ones(2, 3) + 0j
    for use in (Rotation(KEY).encrypt, Rotation(KEY).decrypt):
        with pytest.raises(SemveilError, match="multiple of four"):
            use(z, torch.arange(2))
    with pytest.raises(SemveilError, match="3 symbols are no whole blocks of 2"):
        normalise_blocks(torch.ones(2, 6))


def test_blocks_of_any_size_and_of_nothing_get_one_energy() -> None:
    latent = torch.tensor([[1e-30, 0, 2e-30, 0, 1e30, 1e30, 0, 0, 0, 0, 0, 0]], requires_grad=True)
    z = normalise_blocks(latent)
    assert torch.allclose(z.abs().square().unflatten(1, (-1, 2)).sum(2), torch.tensor(2.0))
    z.real.sum().backward()
    assert latent.grad is not None
    assert latent.grad.isfinite().all()
    assert (latent.grad[0, 8:] == 0).all()
    assert normalise_blocks(torch.ones(1, 4, dtype=torch.bfloat16)).dtype == torch.complex64


def test_symbols_stay_on_their_device() -> None:
    # The meta device refuses every copy and every read-back; counters lie on the processor.
    symbols = torch.empty(3, 4, dtype=torch.complex64, device="meta")
    for cover in (*(Rotation(KEY, form) for form in FORMS), Shuffle(KEY)):
        assert cover.decrypt(symbols, torch.arange(3)).device.type == "meta"
