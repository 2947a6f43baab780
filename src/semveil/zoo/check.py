"""Figures of a link that are measured again: the same test images, the same random numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semveil.data.splits import Images
from semveil.errors import SemveilError
from semveil.evaluation.signal_checks import recorded
from semveil.experiment.link import Link
from semveil.link import as_float
from semveil.metrics import psnr_db
from semveil.rng import generator
from semveil.zoo.entry import CheckFacts, most_tolerance

IMAGES, DRAWS = 500, 4
# Draws from which the spread is estimated; the first ones are those of the check.
_SPREAD_DRAWS = 8
_SIGMAS = 5.0
_BATCH = 500
# What rounding may do where all random numbers are the same: one answer in so many, and dB.
_ROUNDING = {"accuracy": 1.0, "psnr_db": 0.02}


@torch.no_grad()
def sent_values(link: Link, images: Images, snr_db: float, draws: int) -> dict[str, Tensor]:
    """Send images several times and return what Bob gets of each.

    Args:
        link: A link of a run.
        images: Test images with their classes.
        snr_db: Bob's SNR, dB.
        draws: How often each image is sent; each time with other fading, noise and messages, which
            follow from the link's seed.

    Returns:
        float ``[draws, N]`` by metric: ``accuracy`` (1 for a right answer), where Bob answers, and
        ``psnr_db``, where he reconstructs the image.
    """
    assert link.run is not None
    system, setting = link.under_test(), link.run.setting()
    assert system.receive is not None
    recording = recorded(system.transmit, images, "zoo", link.seed, link.device)
    labels, originals = torch.from_numpy(images.y), as_float(recording.images)
    found: dict[str, list[Tensor]] = {}
    for draw in range(draws):
        sent = recording.resent(draw)
        source = generator(link.seed, "zoo", draw, device=link.device)
        for rows in torch.arange(len(images), device=link.device).split(_BATCH):
            heard = setting.bob(sent.waveforms[rows], snr_db, generator=source)
            answer = system.receive(heard, sent.messages(rows))
            if answer.logits is not None:
                right = answer.logits.argmax(1).cpu() == labels[rows.cpu()]
                found.setdefault("accuracy", []).append(right.double())
            if answer.images is not None:
                values = psnr_db(answer.images.float(), originals[rows])
                found.setdefault("psnr_db", []).append(values.cpu().double())
    return {metric: torch.cat(parts).view(draws, -1) for metric, parts in found.items()}


def checks_of(link: Link, images: Images, snr_db: float) -> list[CheckFacts]:
    """Measure the figures that :func:`measure` is to find again, and how far off they may be.

    With the same random numbers only rounding differs. Another version of torch may draw others:
    a mean over ``DRAWS`` draws of the same images then differs by a standard deviation of
    σ·√(2/DRAWS), where σ² is the mean over the images of their variance over draws, over the number
    of images. The tolerance is five of these and what rounding may do: a sound link is refused
    once in a million times. On few images more is needed than a check may allow, which is the most.
    """
    some = images.take(range(min(IMAGES, len(images))))
    found = []
    for metric, values in sent_values(link, some, snr_db, _SPREAD_DRAWS).items():
        n = values.shape[1]
        spread = math.sqrt(float(values.var(0).sum())) / n
        rounding = _ROUNDING[metric] / (n if metric == "accuracy" else 1)
        tolerance = min(_SIGMAS * spread * math.sqrt(2 / DRAWS) + rounding, most_tolerance(metric))
        value = float(values[:DRAWS].mean())
        found.append(
            CheckFacts(
                metric=metric,
                value=round(value, 6),
                tolerance=round(tolerance, 6),
                snr_db=snr_db,
                images=n,
                draws=DRAWS,
            )
        )
    return found


def measure(link: Link, images: Images, check: CheckFacts) -> float | None:
    """Measure a figure of a check again; None if the link has none of its metric.

    Raises:
        SemveilError: If there are fewer images than the check is of.
    """
    if len(images) < check.images:
        raise SemveilError(f"a check is of {check.images} test images; there are {len(images)}")
    some = images.take(range(check.images))
    values = sent_values(link, some, check.snr_db, check.draws).get(check.metric)
    return None if values is None else float(values.mean())
