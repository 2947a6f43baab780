"""LDPC decoding on one thread: the time of Sionna's decoder over that of ours.

Both decode the same LLRs of the same 512 codewords, 1200 bits in 2432. At the SNR chosen, Sionna at
its defaults loses about one codeword in ten and ours one in a hundred; at higher SNRs, where links
are meant to work, ours stops sooner and Sionna's does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.agreement import DisagreementError
from benchmarks.timing import MissingExtraError, OnRound, Ratio, Rounds, Work, alternate
from semveil.device import one_thread
from semveil.phy.ldpc import LdpcCode
from semveil.phy.noise import awgn, snr_to_noise_variance
from semveil.phy.qam import QPSK
from semveil.rng import generator


@dataclass(frozen=True)
class Frames:
    """Codewords, received as QPSK over AWGN.

    Attributes:
        code: Their code.
        bits: Information bits, uint8 ``[B, k]``.
        llrs: LLRs of the bits sent, float ``[B, n]``.
    """

    code: LdpcCode
    bits: Tensor
    llrs: Tensor

    def errors(self, decoded: Tensor) -> Tensor:
        """Tell which codewords a decoder got wrong, bool ``[B]``."""
        return (decoded != self.bits).any(1)


def draw_frames(code: LdpcCode, snr_db: float, batch: int) -> Frames:
    """Draw information bits and noise."""
    source = generator(0, "ldpc")
    bits = torch.randint(0, 2, (batch, code.k), generator=source, dtype=torch.uint8)
    heard = awgn(QPSK.modulate(code.encode(bits)), snr_db, generator=source)
    return Frames(code, bits, QPSK.soft(heard, snr_to_noise_variance(snr_db)))


def sionna_decoder(code: LdpcCode) -> Callable[[Tensor], Tensor]:
    """Return Sionna's decoder at its defaults: flooding, exact box-plus, 20 iterations, float32.

    It decodes 64 codewords at a time: a thousand at once outgrow the caches and take longer.

    Raises:
        MissingExtraError: If Sionna is not installed.
    """
    try:
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "sionna":
            raise
        raise MissingExtraError("sionna-no-rt", "test") from None
    encoder = LDPC5GEncoder(code.k, code.n, device="cpu")
    decoder = LDPC5GDecoder(encoder, device="cpu")
    return lambda llrs: torch.cat([decoder(some) for some in llrs.split(64)])


def require_no_more_errors(ours: Tensor, theirs: Tensor) -> None:
    """Raise if our decoder fails on significantly more codewords, or if the SNR tests nothing.

    Of the codewords on which only one of two equally good decoders fails, each has half; the
    difference may reach three standard deviations of that (McNemar's test).

    Args:
        ours: Which codewords we got wrong, bool ``[B]``.
        theirs: Which ones Sionna did.

    Raises:
        DisagreementError: If ours are more, or Sionna's are not between 1 % and 50 %.

    Example:
        >>> theirs = torch.arange(100) < 10
        >>> require_no_more_errors(theirs & False, theirs)
        >>> require_no_more_errors(torch.arange(100) < 40, theirs)
        Traceback (most recent call last):
        benchmarks.agreement.DisagreementError: of 100 codewords we lose 40, Sionna 10
    """
    share = float(theirs.float().mean())
    if not 0.01 <= share <= 0.5:
        raise DisagreementError(f"Sionna loses {share:.1%} of the codewords, not 1 % to 50 %")
    lost, won = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    if lost - won > 3 * math.sqrt(lost + won):
        raise DisagreementError(
            f"of {len(ours)} codewords we lose {int(ours.sum())}, Sionna {int(theirs.sum())}"
        )


@one_thread()
def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Time both decoders on the same codewords, after a check that ours loses no more."""
    frames = draw_frames(LdpcCode(1200, 2432), 1.2, 48 if quick else 512)
    theirs = sionna_decoder(frames.code)
    require_no_more_errors(
        frames.errors(frames.code.decode(frames.llrs)[0]), frames.errors(theirs(frames.llrs))
    )
    count = frames.bits.numel()
    return alternate(
        Work("Sionna's LDPC decoder, per bit", lambda: theirs(frames.llrs), count),
        Work("ours, losing no more", lambda: frames.code.decode(frames.llrs), count),
        3 if quick else 5,
        on_round,
    )


RATIOS = {
    "ldpc_vs_sionna": Ratio(
        title="5G LDPC decoding, 1200 bits in 2432, against Sionna's decoder at its defaults",
        target=(">=", 1.5),
        measure=measure,
    ),
}
