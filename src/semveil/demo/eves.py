"""The eavesdroppers of the demonstration: those of the run's audit, or small ones trained now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Observations, Progress, listen
from semveil.adversary.eavesdrop.inference import MLPInference, SetInference
from semveil.adversary.eavesdrop.inversion import DeconvInversion, SetInversion
from semveil.adversary.eavesdrop.observations import Intercepts, Recording
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.adversary.eavesdrop.trainer import Effort
from semveil.channel import Channel, Reception, channel_of
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.evaluation.signal_checks import recorded
from semveil.experiment.kept import kept
from semveil.experiment.link import Link
from semveil.link import as_float

SNRS_DB = (-10.0, 0.0, 10.0, 20.0, 30.0)
_EFFORT = Effort(max_epochs=10, patience=4)
# More images would take longer than somebody at a page waits.
_MOST_IMAGES = 2000


@dataclass(frozen=True)
class Eves:
    """Eavesdroppers of one link, the strongest for the label and for the image.

    Attributes:
        label: Who infers the label; None if there is none.
        image: Who rebuilds the image; None if there is none.
        classes: Names of what the first one infers.
        origin: Where they come from, one sentence.
    """

    label: Eavesdropper | None
    image: Eavesdropper | None
    classes: tuple[str, ...]
    origin: str


def eves_of(link: Link, progress: Progress | None = None) -> Eves:
    """Return the eavesdroppers that the link's audit kept, or train small ones.

    Args:
        link: The link.
        progress: Called after every epoch of one who is trained.

    Raises:
        SemveilError: If there are neither, with what to do.
    """
    assert link.run is not None
    found = _kept(link)
    if found is not None:
        return found
    splits = link.run.splits
    if len(splits.adversary) > _MOST_IMAGES:
        raise SemveilError(
            f"No Eve: {len(splits.adversary)} images take too long to train one here. "
            "An audit of the run keeps the strongest."
        )
    return _trained(link, splits, progress)


def _kept(link: Link) -> Eves | None:
    assert link.run is not None
    with torch.no_grad():
        blank = torch.zeros(1, *link.image_shape, device=link.device)
        heard = channel_of(link.recipe.eve)(link.transmit(blank), 10.0)
    label, image = (kept(link, target, heard) for target in ("label", "image"))
    if label is None and image is None:
        return None
    classes = (label or (None, ()))[1]
    return Eves(
        label and label[0],
        image and image[0],
        tuple(classes),
        "The strongest Eves of the audit of this run.",
    )


def _trained(link: Link, splits: ImageSplits, progress: Progress | None) -> Eves:
    system, channel = link.under_test(), channel_of(link.recipe.eve)
    training, validation = (
        recorded(system.transmit, part, name, link.seed, link.device)
        for name, part in (("adversary", splits.adversary), ("validation", splits.validation))
    )
    candidates: dict[str, list[Eavesdropper]] = {
        "label": [MLPInference()],
        "image": [DeconvInversion()],
    }
    if system.permutes:
        candidates["label"].append(SetInference())
        candidates["image"].append(SetInversion())
    classes = splits.private_classes or splits.classes
    given = Observations(
        Intercepts(training, channel),
        Intercepts(validation, channel),
        SNRS_DB,
        len(classes),
        _EFFORT,
        link.seed,
        _no_judge,
    )
    strongest = {}
    for target, eves in candidates.items():
        for eve in eves:
            eve.fit(given, progress)
        strongest[target] = min(eves, key=lambda eve: _loss(eve, validation, channel))
    return Eves(
        strongest["label"],
        strongest["image"],
        classes,
        f"Small Eves, trained here in a few seconds on {len(splits.adversary)} images that the "
        "link has never seen; those of an audit are stronger.",
    )


def _loss(eve: Eavesdropper, validation: Recording, channel: Channel) -> float:
    """Return an eavesdropper's loss on the validation images at 10 dB."""
    source = torch.Generator(validation.device).manual_seed(0)

    def guess(reception: Reception) -> Tensor:
        return eve.listen(reception, 10.0)

    output = listen(guess, Intercepts(validation, channel), 10.0, source)
    return float(eve.loss(output, as_float(validation.images), validation.labels))


def _no_judge() -> PerceptualLoss:
    raise NotImplementedError("no eavesdropper here has a perceptual loss")


class _ClosedError(Exception):
    """Ends a training that nobody waits for any more."""


class Background:
    """Eavesdroppers by link, each trained once, in a thread, when they are first asked for.

    Args:
        make: Link and what is called after every epoch → its eavesdroppers.
    """

    def __init__(self, make: Callable[[Link, Progress], Eves] = eves_of) -> None:
        self._make = make
        self._found: dict[str, Eves | str | None] = {}
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def get(self, name: str, link: Link) -> Eves | str | None:
        """Return a link's eavesdroppers, why there are none, or None while they are trained."""
        with self._lock:
            if name not in self._found:
                self._found[name] = None
                thread = threading.Thread(target=self._fill, args=(name, link), daemon=True)
                self._threads.append(thread)
                thread.start()
            return self._found[name]

    def close(self) -> None:
        """End what is being trained: Python must not end while torch computes in a thread."""
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def _go_on(self, done: int, total: int) -> None:
        if self._closed.is_set():
            raise _ClosedError

    def _fill(self, name: str, link: Link) -> None:
        try:
            with self._one_at_a_time:
                self._go_on(0, 0)
                found: Eves | str = self._make(link, self._go_on)
        except _ClosedError:
            return
        except SemveilError as error:
            found = str(error)
        with self._lock:
            self._found[name] = found
