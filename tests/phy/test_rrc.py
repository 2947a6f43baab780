"""Root-raised-cosine pulses against their closed form in time."""

import math

import numpy as np
import pytest
import torch

from semveil.phy.rrc import root_raised_cosine_response


def _pulse(t: np.ndarray, a: float) -> np.ndarray:
    """Return the pulse at times in symbols, as in Proakis, Digital Communications."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (np.sin(np.pi * t * (1 - a)) + 4 * a * t * np.cos(np.pi * t * (1 + a))) / (
            np.pi * t * (1 - (4 * a * t) ** 2)
        )
    value[np.isclose(t, 0)] = 1 - a + 4 * a / np.pi
    turn = math.pi / (4 * a)
    edge = a / math.sqrt(2) * ((1 + 2 / np.pi) * np.sin(turn) + (1 - 2 / np.pi) * np.cos(turn))
    value[np.isclose(np.abs(t), 1 / (4 * a))] = edge
    return value


@pytest.mark.parametrize("roll_off", [0.22, 0.25, 0.5, 1.0])
def test_the_response_is_that_of_the_pulse(roll_off):
    size, over = 4096, 4
    frequency = torch.fft.fftfreq(size, 1 / over, dtype=torch.float64)
    time = torch.fft.ifft(root_raised_cosine_response(frequency, roll_off)).real * over
    place = np.fft.fftfreq(size, 1 / size) / over
    near = np.abs(place) < 20
    expected = _pulse(place[near], roll_off)
    np.testing.assert_allclose(time.numpy()[near], expected, atol=2e-5)


@pytest.mark.parametrize("roll_off", [0.0, 0.25, 1.0])
def test_pulse_and_matched_filter_leave_no_interference(roll_off):
    frequency = torch.linspace(-0.5, 0.499, 500, dtype=torch.float64)
    aliases = frequency + torch.tensor([[-1.0], [0.0], [1.0]])
    power = root_raised_cosine_response(aliases, roll_off).square().sum(0)
    torch.testing.assert_close(power, torch.ones_like(power))


def test_a_roll_off_out_of_range_is_refused():
    with pytest.raises(ValueError, match="roll-off"):
        root_raised_cosine_response(torch.zeros(1), 1.5)
