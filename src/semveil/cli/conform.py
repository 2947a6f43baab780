"""``semveil conform``: our definitions as tests of somebody else's channel or transmitter."""

from __future__ import annotations

import json
from enum import StrEnum
from fractions import Fraction
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Quiet
from semveil.cli.output import console
from semveil.cli.parse import budgets
from semveil.errors import SemveilError


class Kind(StrEnum):
    """What a function is."""

    auto = "auto"
    channel = "channel"
    transmitter = "transmitter"
    perturbation = "perturbation"


class Fading(StrEnum):
    """What a channel is to do to its coefficients."""

    auto = "auto"
    awgn = "awgn"
    rayleigh = "rayleigh"
    rician = "rician"


class Form(StrEnum):
    """Which arrays a function takes."""

    auto = "auto"
    complex = "complex"
    real = "real"


def conform(
    target: Annotated[
        str, typer.Argument(metavar="MODULE:NAME", help="The function; also FILE.py:NAME.")
    ],
    kind: Annotated[
        Kind, typer.Option("--kind", help="What it is; told by its parameters if omitted.")
    ] = Kind.auto,
    snr: Annotated[
        str, typer.Option("--snr", help="SNRs for a channel, dB, with commas.")
    ] = "0,10,20",
    fading: Annotated[Fading, typer.Option("--fading", help="What the channel states.")] = (
        Fading.auto
    ),
    form: Annotated[
        Form, typer.Option("--form", help="Arrays that it takes: complex [B, k], real [B, 2, k].")
    ] = Form.auto,
    psr: Annotated[
        str, typer.Option("--psr", help="PSRs for a perturbation, dB, with commas.")
    ] = "-10,-3",
    image_shape: Annotated[
        str, typer.Option("--image-shape", metavar="CxHxW", help="Images for a transmitter.")
    ] = "1x32x32",
    bandwidth_ratio: Annotated[
        str | None,
        typer.Option("--bandwidth-ratio", help="What the transmitter states, as in 1/6."),
    ] = None,
    fixed_gain: Annotated[
        bool, typer.Option("--fixed-gain", help="Test its mean power over images only.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Test a channel, transmitter or perturbation of your own against our definitions.

    The exit status is 0 if it conforms, 1 if not, and 2 if it cannot be tested.
    """
    levels, budget = budgets(snr, "--snr"), budgets(psr)
    shape, ratio = _shape(image_shape), _ratio(bandwidth_ratio)
    from semveil import conform as kit

    report = kit.conform(
        target,
        kind.value,
        snr_db=levels,
        psr_db=budget,
        fading=fading.value,
        form=form.value,
        image_shape=shape,
        bandwidth_ratio=ratio,
        fixed_gain=fixed_gain,
        seed=seed,
    )
    if as_json:
        print(json.dumps(report.as_json()))
    elif not quiet:
        console().print(report.table())
        for note in report.notes:
            print(f"Note: {note}")
        failed = len(report.failures)
        verdict = f"does not conform: {failed} of {len(report.checks)} checks failed"
        print(f"{report.name} {verdict if failed else 'conforms'}")
    raise typer.Exit(0 if report.ok else 1)


def _shape(words: str) -> tuple[int, ...]:
    sides = words.split("x")
    if len(sides) != 3 or not all(side.isdecimal() and 0 < int(side) <= 4096 for side in sides):
        raise SemveilError(
            f"--image-shape {words}: expected channels, height and width, as in 3x32x32"
        )
    return tuple(map(int, sides))


def _ratio(words: str | None) -> float | None:
    if words is None:
        return None
    try:
        found = float(Fraction(words))
    except (ValueError, ZeroDivisionError, OverflowError):
        found = 0.0
    if found <= 0:
        raise SemveilError(f"--bandwidth-ratio {words}: expected a positive number, as in 1/6")
    return found
