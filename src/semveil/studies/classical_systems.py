"""The classical systems that are compared, and what their names in the records mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semveil.baseline.adaptive import Mode
from semveil.baseline.codec import CodecName
from semveil.baseline.transceiver import symbols_needed
from semveil.records import SystemName

SNRS_DB = (3.0, 5.0, 7.0, 9.0, 10.0, 11.0, 13.0, 15.0)
HALF = tuple(Mode(order, 0.5) for order in (2, 4, 16, 64))
PAPERS_BYTES = 304
"""What 76, 38 and 19 OFDM symbols of Table IV carry at rate 1/2: 2,432 bits."""
PAPERS = {2: (76, 19.77, 0.77), 4: (38, 18.31, 0.71), 16: (19, 13.75, 0.48), 64: (9, 11.03, 0.28)}
"""OFDM symbols, PSNR in dB and SSIM of Table IV, by the constellation's points."""
PAPERS_MOBILESC = (6, 25.13, 0.85)

SUBCARRIERS = 64
EQUAL = 6
"""OFDM symbols of MobileSC's 768 reals."""

TITLES: dict[CodecName, str] = {"jpeg2000": "JPEG 2000", "avif": "AVIF"}


@dataclass(frozen=True)
class Classical:
    """One classical system.

    Attributes:
        codec: Source code.
        symbols: Data symbols of OFDM per image.
        mode: Modulation and code rate; the best at each SNR if None.
        whole: Whether files are sent with all headers.
    """

    codec: CodecName
    symbols: int
    mode: Mode | None
    whole: bool = False

    @property
    def params(self) -> dict[str, Any]:
        """What tells it apart in the records.

        Example:
            >>> Classical("jpeg2000", 38, Mode(4, 0.5)).params
            {'codec': 'JPEG 2000', 'modulation': 'QPSK', 'rate': 0.5, 'ofdm_symbols': 38}
        """
        found: dict[str, Any] = {"codec": TITLES[self.codec]}
        if self.whole:
            found["headers"] = True
        if self.mode is None:
            found["mode"] = "best"
        else:
            found |= {"modulation": self.mode.modulation, "rate": self.mode.rate}
        return found | {"ofdm_symbols": self.symbols}

    @property
    def label(self) -> str:
        """Its name in tables.

        Example:
            >>> Classical("jpeg2000", 38, Mode(4, 0.5)).label
            'JPEG 2000, QPSK, rate 0.5, 38 symbols'
        """
        codec = TITLES[self.codec] + (" with headers" if self.whole else "")
        mode = "best mode" if self.mode is None else str(self.mode)
        return f"{codec}, {mode}, {self.symbols} symbols"

    @property
    def system(self) -> str:
        """Its label in the frame of the study's records."""
        return SystemName("classical", params=self.params).label

    @property
    def job(self) -> str:
        """Name of its job's folder.

        Example:
            >>> Classical("avif", 6, None).job
            'avif-best-6'
        """
        mode = "best" if self.mode is None else f"{self.mode.order}-{self.mode.rate:.2g}"
        return "-".join([self.codec, *(["whole"] if self.whole else []), mode, str(self.symbols)])


def _needed(mode: Mode) -> int:
    return symbols_needed(PAPERS_BYTES, mode.order, mode.rate, SUBCARRIERS)


QPSK = HALF[1]
STREAM = tuple(Classical("jpeg2000", _needed(mode), mode) for mode in HALF)
"""One stream by each modulation, as Table IV has it."""
WHOLE = Classical("jpeg2000", _needed(QPSK), QPSK, whole=True)
AVIF = Classical("avif", _needed(QPSK), QPSK)
SHORT = tuple(Classical("jpeg2000", EQUAL, mode) for mode in HALF[1:])
ADAPTIVE = (Classical("jpeg2000", EQUAL, None), Classical("avif", EQUAL, None))
SYSTEMS = (*STREAM, WHOLE, AVIF, *SHORT, *ADAPTIVE)
