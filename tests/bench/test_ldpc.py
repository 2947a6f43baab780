"""The decoders that the LDPC ratio compares are given the same, and a worse one is refused."""

import pytest
import torch

from benchmarks.agreement import DisagreementError
from benchmarks.ldpc import draw_frames, require_no_more_errors
from semveil.device import one_thread
from semveil.phy.ldpc import LdpcCode


def _first(count, of=1000):
    return torch.arange(of) < count


def test_more_errors_than_chance_explains_are_refused():
    theirs = _first(100)
    require_no_more_errors(_first(100), theirs)
    require_no_more_errors(_first(108), theirs)  # 8 tosses out of 8: below three deviations
    with pytest.raises(DisagreementError, match="of 1000 codewords we lose 112, Sionna 100"):
        require_no_more_errors(_first(112), theirs)


@pytest.mark.parametrize("count", [0, 9, 501])
def test_an_snr_that_tests_nothing_is_refused(count):
    with pytest.raises(DisagreementError, match="not 1 % to 50 %"):
        require_no_more_errors(_first(0), _first(count))


def test_a_decoder_given_up_early_is_refused():
    frames = draw_frames(LdpcCode(100, 200), 1.5, 200)
    with one_thread():
        patient, hasty = (
            frames.errors(frames.code.decode(frames.llrs, iterations)[0]) for iterations in (20, 2)
        )
    require_no_more_errors(patient, patient)
    with pytest.raises(DisagreementError, match="of 200 codewords we lose"):
        require_no_more_errors(hasty, patient)
