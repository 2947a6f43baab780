"""Privacy guarantees of a link with Laplace noise, each with its conditions."""

from __future__ import annotations

from typing import Any

from semveil.protect.accounting import composed_epsilon
from semveil.protect.gaussian import gaussian_epsilon, noise_deviation, waveform_sensitivity
from semveil.protect.laplace import Laplace


def dp_guarantees(
    noise: Laplace,
    eve_snr_db: float,
    *,
    messages: int = 1,
    delta: float = 1e-5,
) -> list[dict[str, Any]]:
    """List the guarantees of Laplace noise, and of the channel's own noise beside it.

    Every ε is that of the whole vector; the budget that a recipe states for the paper's reading
    is not among them. Each noise only post-processes the other's output, so each guarantee holds
    by itself, and they are not added.

    Args:
        noise: The trained layer; the channel's guarantees depend on its gain.
        eve_snr_db: Eve's mean E_s/N_0 that the channel's guarantees assume, dB.
        messages: Messages of one person, with independent noise, for the composed guarantees.
        delta: δ of the approximate guarantees.

    Returns:
        Plain dictionaries: ``name``, ``epsilon``, ``delta``, ``unit`` (what is protected),
        ``sensitivity`` (with its ``norm``), ``clipping`` (what enforces it) and ``assumes``.

    Example:
        >>> from semveil.protect.laplace import DpConfig
        >>> noise = Laplace(DpConfig(reading="genuine", epsilon=0.5, clip=1.0), dim=8)
        >>> [(claim["name"], round(claim["epsilon"], 2)) for claim in dp_guarantees(noise, 0.0)]
        [('laplace', 0.5), ('channel awgn', 1.35), ('channel rayleigh', 2.66)]
    """
    clipping = (
        f"l1 ball of radius {noise.clip:g}"
        if noise.fixed_gain
        else "unit power per real (a sphere)"
    )
    local = {
        "sensitivity": noise.sensitivity,
        "norm": "l1",
        "clipping": clipping,
        "assumes": "nothing of Eve",
    }
    found = [
        {
            "name": "laplace",
            "epsilon": noise.vector_epsilon,
            "delta": 0.0,
            "unit": "the image of one message",
            **local,
        }
    ]
    if messages > 1:
        found += [
            {
                "name": f"laplace, {how} composition",
                "epsilon": composed_epsilon(noise.vector_epsilon, messages, spent),
                "delta": spent,
                "unit": f"the images of {messages} messages",
                **local,
            }
            for how, spent in (("basic", 0.0), ("numerical", delta))
        ]
    if noise.fixed_gain:
        reach = float(noise.gain) * noise.sensitivity
    else:
        reach = waveform_sensitivity(noise.dim // 2)
        clipping = "unit power of every waveform"
    found += [
        {
            "name": f"channel {fading}",
            "epsilon": gaussian_epsilon(delta, reach, noise_deviation(eve_snr_db), fading),
            "delta": delta,
            "unit": "the image of one message",
            "sensitivity": reach,
            "norm": "l2",
            "clipping": clipping,
            "assumes": f"Eve's mean SNR is at most {eve_snr_db:g} dB",
        }
        for fading in ("awgn", "rayleigh")
    ]
    return found
