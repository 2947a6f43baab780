"""Admission of a system to an audit: what its waveform must not depend on, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from semveil.adversary.eavesdrop.observations import Recording
from semveil.errors import SemveilError
from semveil.evaluation.answer_checks import check_answer, check_range
from semveil.evaluation.recorder import Recorder
from semveil.evaluation.signal_checks import check_power, uneven_power
from semveil.flags import FLAGS
from semveil.link import Answer, as_float
from semveil.metrics import Estimate
from semveil.records import Record
from semveil.rng import generator

_IMAGES, _FEW = 64, 8
# Of a waveform's norm: far above rounding, far below what an eavesdropper could use.
_CHANGED, _SAME = 1e-2, 1e-4
_FEW_CHANGED = 0.1
_DRAWS, _SPLITS = 24, 999
_MOST_POINTS, _SYMBOLS_PER_POINT = 256, 16
_NO_NOISE_DB, _MOST_LOST = 80.0, 0.1


def admit(case: Recorder) -> Iterator[Record]:
    """Yield the admission flags of a system.

    Raises:
        SemveilError: If a flag makes figures meaningless.
    """
    mean_power_off = check_power(case.test, case.system)
    sender = _Sender(case)
    found = {
        "flag_irreproducible": sender.irreproducible(),
        "flag_wrong_power": False,
        "flag_image_independent": sender.image_independent(),
        "flag_uneven_power": uneven_power(case.test),
        "flag_random": case.test.randomised,
        "flag_constellation": has_constellation(case.test),
    }
    if case.system.trained_gain:
        found["flag_mean_power_off"] = mean_power_off
    if not bool(case.test.waveforms.imag.any()):
        found["flag_one_real"] = True
    if len(sender.rows) > 1 and not found["flag_irreproducible"]:
        found["flag_batch_dependent"] = sender.batch_dependent()
    found |= _answers(case)
    for metric, flag in FLAGS.items():
        raised = found.get(metric)
        if raised is None:
            continue
        if raised and flag.severity == "refused":
            raise SemveilError(f"{case.system.name.label}: {flag.says}")
        value = float(raised)
        estimate = Estimate(value, value, value, len(sender.rows))
        yield case.record("system", metric, estimate, interval=False)
    if case.system.asymmetry is None:
        # Eve's other target is an asymmetry of its own, but protects nothing by itself.
        estimate = Estimate(1.0, 1.0, 1.0, len(sender.rows))
        yield case.record("system", "unprotected", estimate, interval=False)


class _Sender:
    """Sends the first test images again and again, under the same message numbers."""

    def __init__(self, case: Recorder) -> None:
        self.case, self.test = case, case.test
        self.rows = torch.arange(min(_IMAGES, len(self.test)), device=self.test.device)
        self.images = as_float(self.test.images[self.rows])

    @torch.no_grad()
    def send(self, rows: Tensor, draw: str = "first", images: Tensor | None = None) -> Tensor:
        """Return the waveforms of some images, or of others under their numbers, as reals."""
        source = generator(self.case.setting.seed, "admission", draw, device=self.test.device)
        pixels = self.images[rows] if images is None else images
        sent = self.case.system.transmit(pixels, source, self.test.messages(rows))
        return torch.view_as_real(sent.resolve_conj().to(torch.complex64)).flatten(1)

    def irreproducible(self) -> bool:
        """Say whether the same generator seed gives another waveform."""
        return _changed(self.send(self.rows), self.send(self.rows))

    def image_independent(self) -> bool:
        """Say whether other images at the same places have the same waveforms."""
        others = self.send(self.rows, images=self.images.roll(1, 0))
        same = (_distance(self.send(self.rows), others) < _SAME).all()
        return len(self.rows) > 1 and bool(same)

    def batch_dependent(self) -> bool:
        """Say whether an image's waveform depends on its place or on the rest of its batch."""
        half = len(self.rows) // 2
        mixed = torch.cat([self.images[:half], 1 - self.images[half:]])
        plain = self.send(self.rows)
        # The places stay, so that the random numbers of each do as well.
        if _changed(self.send(self.rows, images=mixed)[:half], plain[:half]):
            return True
        few, back = self.rows[:_FEW], self.rows.flip(0)
        if torch.equal(plain, self.send(self.rows, "second")):
            return (
                _changed(self.send(back).flip(0), plain)
                or _changed(self._alone(few, "first"), plain[: len(few)])
                or _changed(self.send(self.rows[:half]), plain[:half])
            )
        turned = few.flip(0)
        return self._other_mean(
            lambda draw: self.send(turned, draw).flip(0), few
        ) or self._other_mean(lambda draw: self._alone(few, draw), few)

    def _alone(self, rows: Tensor, draw: str) -> Tensor:
        return torch.cat([self.send(row, f"{draw}, {row.item()} alone") for row in rows.split(1)])

    def _other_mean(self, send: Callable[[str], Tensor], rows: Tensor) -> bool:
        """Say whether another way to send has another mean over the system's randomness.

        By a permutation test, twice on draws of their own: a false alarm has a chance of 10⁻⁶.
        """
        return all(
            _apart(
                torch.stack([self.send(rows, f"{trial}, {n}, as before") for n in range(_DRAWS)]),
                torch.stack([send(f"{trial}, {n}, otherwise") for n in range(_DRAWS)]),
                generator(self.case.setting.seed, "admission splits", trial),
            )
            for trial in ("one", "two")
        )


@torch.no_grad()
def _answers(case: Recorder) -> dict[str, bool]:
    """Say whether Bob's answers have the right form, and depend on the rest of the batch."""
    receive = case.system.receive
    if receive is None:
        return {}
    rows = torch.arange(min(_IMAGES, len(case.test)), device=case.test.device)
    sent, half = case.test.waveforms[rows], len(rows) // 2

    def answer(waveforms: Tensor, snr_db: float = case.setting.bob_snrs_db[0]) -> Answer:
        source = generator(case.setting.seed, "admission", "bob", device=case.test.device)
        heard = case.setting.bob(waveforms, snr_db, generator=source)
        found = receive(heard, case.test.messages(rows))
        check_answer(found, len(rows), case.splits.n_classes, case.splits.image_shape)
        return found

    def output(waveforms: Tensor) -> Tensor:
        return answer(waveforms).output.float().flatten(1)

    plain = output(sent)
    found = {"flag_answers": False}
    clean = answer(sent, _NO_NOISE_DB)
    if clean.images is not None:
        check_range(clean.images)
    if clean.lost is not None:
        found["flag_lost_without_noise"] = bool(clean.lost.float().mean() > _MOST_LOST)
    # A receiver that draws random numbers of its own answers anew each time.
    if half and not _changed(output(sent), plain):
        others = torch.cat([sent[:half], -sent[half:]])
        found["flag_answers_batch_dependent"] = _changed(output(others)[:half], plain[:half])
    return found


def _distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Return relative distances, float ``[B]``."""
    return (found - wanted).norm(dim=1) / wanted.norm(dim=1).clamp(min=1e-12)


def _changed(found: Tensor, wanted: Tensor) -> bool:
    """Say whether more than one in ten of the waveforms differs, and more than one.

    Rounding may move a symbol of a digital link to the next point, but not in so many images.
    """
    changed = int((_distance(found, wanted) > _CHANGED).sum())
    return changed > max(1, _FEW_CHANGED * len(wanted))


def _apart(one: Tensor, other: Tensor, source: torch.Generator) -> bool:
    """Say whether two sets of draws ``[T, B, D]`` lie further apart than random halves of both."""
    both = torch.cat([one, other]).flatten(1).cpu()
    order = torch.rand(_SPLITS, len(both), generator=source).argsort(1)
    signs = torch.where(order < len(one), 1.0, -1.0)
    ours = torch.cat([torch.ones(len(one)), -torch.ones(len(other))])
    sizes = (torch.cat([ours[None], signs]) @ both).square().sum(1)
    return bool(sizes[0] > sizes[1:].max())


def has_constellation(test: Recording) -> bool:
    """Say whether the symbols of a recording are points of one constellation."""
    symbols = test.waveforms.flatten()[:20_000]
    points = (torch.view_as_real(symbols) * 1e3).round().unique(dim=0)
    return len(points) <= min(_MOST_POINTS, len(symbols) // _SYMBOLS_PER_POINT)
