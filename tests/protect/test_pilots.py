"""Keyed pilots: exact false alarms, the stated missed detections, and invisibility."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy import stats
from torch import Tensor

from semveil import recipe as recipes
from semveil.channel import Channel, OfdmChannel
from semveil.errors import SemveilError
from semveil.experiment.link import untrained
from semveil.protect import check_order
from semveil.protect.keys import research_key
from semveil.protect.normalise import normalise_blocks
from semveil.protect.pilots import KeyedPilots
from semveil.protect.rotation import Rotation
from semveil.records import asked_for
from semveil.rng import generator, normal

KEY = research_key(0, "pilots")
SYMBOLS, BLOCKS = 32, 8
COUNT = SYMBOLS // 2 + BLOCKS
AWGN = Channel("awgn")


def rotated(messages: Tensor) -> Tensor:
    latent = normal((len(messages), 2 * SYMBOLS), generator=generator(0))
    return Rotation(KEY).encrypt(normalise_blocks(latent), messages)


def within(hits: int, count: int, probability: float) -> bool:
    """Return whether a share agrees with a probability, at 99.9 % confidence."""
    low, high = stats.binom.interval(0.999, count, probability)
    return low <= hits <= high


@pytest.mark.parametrize(
    ("channel", "trust"),
    [
        (Channel("awgn"), True),
        (Channel("awgn", "estimated"), False),
        (Channel("rayleigh"), True),
        (Channel("rayleigh"), False),
        (Channel("rayleigh", "estimated"), False),
        (OfdmChannel(subcarriers=16, prefix=8, taps=4), True),
    ],
)
@pytest.mark.parametrize("false_alarm", [0.1, 0.002])
def test_false_alarms_are_as_rare_as_stated(channel, trust, false_alarm) -> None:
    messages = torch.arange(20_000)
    pilots = KeyedPilots(KEY, BLOCKS, false_alarm, trust)
    sent = pilots.encrypt(rotated(messages), messages)
    heard = channel(sent, 6.0, generator=generator(1))
    rejected = ~pilots.accepts(heard, messages)
    assert within(int(rejected.sum()), len(messages), false_alarm)
    p_values = pilots.p_values(heard, messages)
    assert stats.kstest(p_values.numpy(), "uniform").pvalue > 1e-3
    assert torch.equal(p_values < false_alarm, rejected)


OFDM = ["bob.fading=multipath", "bob.ofdm.subcarriers=16", "link.latent_dim=64"]


@pytest.mark.parametrize(
    "channel",
    [
        ["bob.fading=awgn"],
        ["bob.fading=rayleigh"],
        ["bob.fading=rayleigh", "bob.csi=estimated"],
        ["bob.fading=rician"],
        [*OFDM, "bob.csi=perfect"],
    ],
)
def test_a_link_of_a_recipe_rejects_as_many_messages_as_the_recipe_says(channel) -> None:
    changes = [*channel, "protections=[keyed-pilots]", "keyed-pilots.false_alarm=0.02"]
    name = asked_for("rotation", "keyed-pilots")
    link = untrained(name, recipes.load("rotation-digits", changes), (1, 8, 8), 10, seed=0)
    images = torch.rand(3000, 1, 8, 8, generator=generator(0))
    accepted = link.send(images, 5.0, generator(1)).accepted
    assert accepted is not None
    assert within(int((~accepted).sum()), len(images), 0.02)


@pytest.mark.filterwarnings("ignore:ofdm.prefix")
def test_a_prefix_that_is_too_short_is_refused() -> None:
    recipe = recipes.load("rotation-digits", [*OFDM, "bob.csi=perfect", "bob.ofdm.prefix=6"])
    with pytest.raises(SemveilError, match=r"bob\.ofdm\.prefix=7$"):
        check_order(["rotation", "keyed-pilots"], recipe)


@pytest.mark.parametrize("trust", [True, False])
@pytest.mark.parametrize(
    ("changed", "factor", "snr_db"),
    [(3, -1.0, 10.0), (8, -1.0, 10.0), (6, 0.5j, 3.0), (COUNT, 0.9, 6.0), (COUNT, 1j, 0.0)],
)
def test_missed_detections_are_as_stated(trust, changed, factor, snr_db) -> None:
    messages = torch.arange(5000)
    pilots = KeyedPilots(KEY, BLOCKS, 0.01, trust)
    sent = pilots.encrypt(rotated(messages), messages)
    # She changes the same blocks of every message.
    c = torch.ones(COUNT, dtype=sent.dtype)
    c[-changed:] = factor
    heard = AWGN(sent * c.repeat_interleave(2), snr_db, generator=generator(1))
    missed = int(pilots.accepts(heard, messages).sum())
    stated = pilots.missed_detection(SYMBOLS, changed, abs(factor - 1) ** 2, snr_db)
    assert within(missed, len(messages), stated)
    if changed == COUNT and not trust:
        # One factor for everything is fading, for whoever does not know the fading.
        assert stated == pytest.approx(0.99)


def test_general_quaternion_factors_are_noticed_too() -> None:
    messages = torch.arange(2000)
    maps = Rotation(KEY).invariant_maps
    for trust in (True, False):
        pilots = KeyedPilots(KEY, BLOCKS, 0.01, trust)
        sent = pilots.encrypt(rotated(messages), messages)
        # Every block times j from the left: no complex factor explains it.
        j = torch.tensor([0, 1], dtype=sent.dtype).repeat(COUNT).unsqueeze(0)
        heard = AWGN(maps.apply(j, sent), 6.0, generator=generator(1))
        assert not pilots.accepts(heard, messages).any()


def test_a_relay_of_single_places_changes_the_data_that_lie_there() -> None:
    """The relay's maps of what is sent are such maps of the data, at places that she cannot see."""
    messages = torch.arange(200)
    pilots = KeyedPilots(KEY, BLOCKS)
    data = rotated(messages)
    sent = pilots.encrypt(data, messages)
    factors = normal((1, 2 * COUNT), dtype=torch.complex64, generator=generator(3))
    found = pilots.decrypt(pilots.invariant_maps.apply(factors, sent), messages)
    # Where the data lie, found by following the numbers of the places themselves.
    place = torch.arange(COUNT).repeat_interleave(2).expand(len(messages), -1) + 0j
    places = pilots.decrypt(place, messages).real.long()[:, ::2]
    assert not torch.equal(places[0], places[1])
    theirs = factors.unflatten(1, (-1, 2)).squeeze(0)[places].flatten(1)
    wanted = pilots.invariant_maps.apply(theirs, data)
    torch.testing.assert_close(found, wanted)


def test_the_places_cannot_be_told_from_what_is_sent() -> None:
    """Pilots and data have one distribution; at a guess, Mallory hits a pilot as by chance."""
    messages = torch.arange(4000)
    pilots = KeyedPilots(KEY, BLOCKS)
    data = rotated(messages)
    sent = pilots.encrypt(data, messages).unflatten(1, (-1, 2))
    known = data.unflatten(1, (-1, 2))
    is_pilot = ~(sent.unsqueeze(2) == known.unsqueeze(1)).all(3).any(2)
    assert (is_pilot.sum(1) == BLOCKS).all()
    assert torch.allclose(sent.abs().square().sum(2), torch.tensor(2.0), atol=1e-5)
    for view in (torch.real, torch.imag):
        for symbol in (0, 1):
            values = view(sent)[..., symbol]
            found = stats.ks_2samp(values[is_pilot].numpy(), values[~is_pilot].numpy())
            assert found.pvalue > 1e-3
    # Each place holds a pilot equally often.
    expected = len(messages) * BLOCKS / COUNT
    spread = is_pilot.sum(0).double() - expected
    # Places exclude one another: variance p(1 − p)·(n/(n − 1)), n − 1 degrees of freedom.
    share = BLOCKS / COUNT
    statistic = spread.square().sum() / (len(messages) * share * (1 - share)) * (COUNT - 1) / COUNT
    assert 1e-3 < stats.chi2.sf(float(statistic), COUNT - 1) < 1 - 1e-3


def test_the_data_come_back_and_another_key_or_counter_raises_the_alarm() -> None:
    messages = torch.arange(50)
    data = rotated(messages)
    for channel in (Channel("rayleigh"), OfdmChannel(subcarriers=16, prefix=8, taps=4)):
        pilots = KeyedPilots(KEY, BLOCKS)
        sent = pilots.encrypt(data, messages)
        assert sent.shape == (50, SYMBOLS + 2 * BLOCKS)
        heard = channel(sent, 60.0, generator=generator(2))
        plain = pilots.decrypt(heard.symbols / heard.csi, messages)
        strong = heard.csi.abs().min(1).values > 0.1
        torch.testing.assert_close(plain[strong], data[strong], atol=0.1, rtol=0)
        assert not KeyedPilots(research_key(1), BLOCKS).accepts(heard, messages).any()
        assert not pilots.accepts(heard, messages + 1).any()


def test_what_would_void_the_guarantee_is_refused() -> None:
    pilots, messages = KeyedPilots(KEY, 2), torch.arange(2)
    with pytest.raises(SemveilError, match="norm of unit power"):
        pilots.encrypt(normal((2, 8), dtype=torch.complex64, generator=generator(0)), messages)
    with pytest.raises(SemveilError, match="used twice"):
        pilots.encrypt(torch.ones(2, 8, dtype=torch.complex64), torch.zeros(2).long())
    with pytest.raises(SemveilError, match="no whole blocks"):
        pilots.encrypt(torch.ones(2, 7, dtype=torch.complex64), messages)
    heard = AWGN(torch.ones(2, 4, dtype=torch.complex64), 10.0)
    with pytest.raises(SemveilError, match="hold no message"):
        pilots.accepts(heard, messages)
    wide = replace(AWGN(torch.ones(2, 8) + 0j, 10.0), csi=torch.ones(2, 8) + 0j)
    with pytest.raises(SemveilError, match="flat fading"):
        KeyedPilots(KEY, 2, trust_csi=False).accepts(wide, messages)
    for settings in ({"blocks": 0}, {"blocks": 1, "trust_csi": False}):
        with pytest.raises(SemveilError, match="blocks or more"):
            KeyedPilots(KEY, **settings)
    with pytest.raises(SemveilError, match="false_alarm"):
        KeyedPilots(KEY, 2, false_alarm=1.0)
