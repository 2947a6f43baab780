"""``semveil channel``: a recording after a channel and imperfect radios."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Quiet
from semveil.cli.radio_options import NewRecording, RecordingPath, given


def channel(
    recording: RecordingPath,
    out: NewRecording,
    snr: Annotated[
        float | None, typer.Option("--snr", help="Mean E_s/N_0, dB; no noise if omitted.")
    ] = None,
    cfo: Annotated[
        float | None, typer.Option("--cfo", help="Carrier frequency offset, Hz.")
    ] = None,
    sro: Annotated[
        float | None, typer.Option("--sro", help="Offset of the sampling clock, ppm.")
    ] = None,
    taps: Annotated[
        int | None, typer.Option("--taps", help="Taps of Rayleigh multipath, one draw for all.")
    ] = None,
    decay: Annotated[
        float | None, typer.Option("--decay", help="Decay of their power, chips; 1.5.")
    ] = None,
    delay: Annotated[
        float | None, typer.Option("--delay", help="Delay, samples; need not be whole.")
    ] = None,
    phase_noise: Annotated[
        float | None, typer.Option("--phase-noise", help="Linewidth of the oscillators, Hz.")
    ] = None,
    clip: Annotated[
        float | None,
        typer.Option("--clip", help="Peak amplitude over root mean square at the transmitter."),
    ] = None,
    iq_gain: Annotated[
        float | None,
        typer.Option("--iq-gain", help="Gain of the real over the imaginary part, dB."),
    ] = None,
    iq_phase: Annotated[
        float | None, typer.Option("--iq-phase", help="Angle by which they are off 90°, degrees.")
    ] = None,
    dc_offset: Annotated[
        float | None, typer.Option("--dc-offset", help="Constant, relative to the frames' level.")
    ] = None,
    bits: Annotated[
        int | None, typer.Option("--bits", help="Bits of the receiver's converter.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of taps and noise.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Send a recording through a channel with noise, offsets, multipath and real converters."""
    from semveil import api

    changes = given(
        snr_db=snr,
        cfo_hz=cfo,
        sro_ppm=sro,
        taps=taps,
        decay=decay,
        delay=delay,
        phase_noise=phase_noise,
        clip_ratio=clip,
        iq_gain_db=iq_gain,
        iq_phase_deg=iq_phase,
        dc_offset=dc_offset,
        bits=bits,
    )
    made = api.apply_channel(recording, out, changes, seed=seed)
    if as_json:
        print(json.dumps({"recording": str(made), "channel": changes}))
    elif not quiet:
        print(f"Recording: {made}.sigmf-data")
