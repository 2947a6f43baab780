"""Options that the commands about recordings share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from semveil.cli.groups import OptionGroup
from semveil.errors import SemveilError

RecordingPath = Annotated[
    Path, typer.Argument(metavar="RECORDING", help="A SigMF recording, with or without suffix.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="File with the session key of a keyed link, 32 bytes; its public research key if "
        "omitted. Counters are kept beside the file.",
    ),
]
Originals = Annotated[
    list[Path] | None,
    typer.Option(
        "--original",
        help="Image that was sent, or a folder of them, in the order of sending; for the PSNR.",
    ),
]
PictureFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder to make for the pictures.")
]
NewRecording = Annotated[Path, typer.Option("--out", help="Recording to make.")]
LINK = "Folder of a trained run, or a link of `semveil zoo list`."
OfSystem = Annotated[
    str | None,
    typer.Option("--system", metavar="NAME", help="This one of the run's systems."),
]


@dataclass(frozen=True)
class LinkOptions(OptionGroup):
    """Which link."""

    link: Annotated[str, typer.Option("--link", help=LINK)]
    system: OfSystem = None


@dataclass(frozen=True)
class FrameOptions(OptionGroup):
    """How frames and samples are sent."""

    rate: Annotated[
        float | None,
        typer.Option("--rate", help="Samples per second, Hz; 1e6 if nothing states it."),
    ] = None
    carrier: Annotated[
        str | None, typer.Option("--carrier", help="ofdm, or single for a single carrier.")
    ] = None
    oversampling: Annotated[
        int | None, typer.Option("--oversampling", min=1, help="Samples per chip.")
    ] = None
    datatype: Annotated[
        str, typer.Option("--datatype", help="cf32_le (floats) or ci16_le (16 bits).")
    ] = "cf32_le"

    def settings(self, **further: Any) -> dict[str, Any]:
        """Return the settings of the frame that were given."""
        return given(
            sample_rate=self.rate, carrier=self.carrier, oversampling=self.oversampling, **further
        )


@dataclass(frozen=True)
class RadioOptions(OptionGroup):
    """What to compute on, and which radio to use, if any."""

    device: Annotated[
        str,
        typer.Option(
            "--device",
            help="What to compute on: auto, cpu or cuda; or a radio: soapy=driver=lime.",
        ),
    ] = "auto"
    frequency: Annotated[
        float | None, typer.Option("--frequency", help="Centre frequency of the radio, Hz.")
    ] = None
    gain: Annotated[float | None, typer.Option("--gain", help="Gain of the radio, dB.")] = None

    def chosen(self) -> dict[str, Any]:
        """Return them as the functions of :mod:`semveil.api` take them."""
        compute, radio = split_device(self.device)
        return {
            "device": compute,
            "radio": radio,
            "frequency_hz": self.frequency,
            "gain_db": self.gain,
        }


def split_device(device: str) -> tuple[str, str | None]:
    """Return what to compute on, and which radio to use, if any.

    Example:
        >>> split_device("soapy=driver=lime"), split_device("cpu")
        (('auto', 'driver=lime'), ('cpu', None))
    """
    if device.startswith("soapy="):
        return "auto", device.removeprefix("soapy=")
    if device not in ("auto", "cpu", "cuda"):
        raise SemveilError(
            f"--device {device}: expected auto, cpu, cuda or a radio, as in soapy=driver=lime"
        )
    return device, None


def given(**settings: Any) -> dict[str, Any]:
    """Return the settings that a command was given.

    Example:
        >>> given(carrier=None, oversampling=2)
        {'oversampling': 2}
    """
    return {name: value for name, value in settings.items() if value is not None}
