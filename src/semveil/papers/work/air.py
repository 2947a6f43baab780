"""Trained links on the air: what synchronisation costs Bob, and what its lack costs Mallory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from semveil import phy
from semveil.adversary.eavesdrop.choice import chosen as chosen_eves
from semveil.adversary.eavesdrop.eavesdropper import Observations
from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.adversary.eavesdrop.trainer import Effort
from semveil.adversary.perturb.attack import chosen, goal_of
from semveil.adversary.perturb.attacker_channel import attacker_channel
from semveil.air.identity import link_digest
from semveil.air.parties import Bob
from semveil.air.receive import HeaderCheck, frames_in, joined
from semveil.channel import Arrival, Channel, OfdmChannel, Reception, channel_of
from semveil.evaluation.robustness import RobustnessTest
from semveil.experiment.checkpoint_cache import train_or_load
from semveil.experiment.jobs import Job, JobContext, begin, write_results
from semveil.experiment.link import Link
from semveil.experiment.run import Run
from semveil.link import as_float
from semveil.metrics import bootstrap_mean, metric_of, psnr_db, wilson
from semveil.papers.work.gnuradio_process import installed, through_gnuradio
from semveil.protect.keys import fingerprint
from semveil.radio import FrameFormat, HardwareChannel, Header, ReceivedFrame, like, modulate
from semveil.radio.header import KEY_BYTES
from semveil.recipe import AttackerConfig
from semveil.records import Estimate, Record, named
from semveil.report.figures.lines import Curve, Panel, draw
from semveil.report.figures.style import styled
from semveil.report.looks import attack_looks, series
from semveil.rng import Randomness, generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from semveil.recording.samples import Samples

FORMAT = FrameFormat()
OWN, KNOWN, OURS, THEIRS = "perfect", "perfect, channel known", "our receiver", "GNU Radio"
SYNCHRONISED, UNAWARE, TRAINED = "synchronised", "not synchronised", "trained for it"
_CFO, _SRO_PPM = 0.3, 20.0  # subcarriers; parts per million
_GAP, _AT_ONCE, _DECODED, _PIECES = 500, 64, 256, 1000
# Message counters of training, validation and test never meet.
_SERIES = 1 << 32


def measure(folder: Path, job: Job, context: JobContext) -> None:
    """Measure a link with perfect synchronisation, over our radio channel, and over GNU Radio's."""
    started, air = time.monotonic(), _Air.of(folder, job, context)
    write_results(folder, job, context, list(_synchronised(air)), started)


def measure_and_attack(folder: Path, job: Job, context: JobContext) -> None:
    """Measure a link likewise, then attack it with and without synchronisation."""
    started, air = time.monotonic(), _Air.of(folder, job, context)
    write_results(folder, job, context, [*_synchronised(air), *_attacked(air)], started)


def overhear(folder: Path, job: Job, context: JobContext) -> None:
    """Train eavesdroppers on what a receiver makes of frames, and let them guess."""
    started, air = time.monotonic(), _Air.of(folder, job, context)
    records = [
        record for link in air.links.values() for record in _overheard(replace(air, link=link))
    ]
    write_results(folder, job, context, records, started)


@dataclass(frozen=True)
class _Sent:
    """Images that a link sent, each in a frame of its own."""

    images: Tensor
    labels: Tensor
    waveforms: Tensor
    counters: Tensor


@dataclass(frozen=True)
class _Air:
    """A trained link and what carries its frames."""

    job: Job
    context: JobContext
    run: Run
    links: Mapping[str, Link]
    link: Link

    @classmethod
    def of(cls, folder: Path, job: Job, context: JobContext) -> _Air:
        run = begin(folder / "plain", job, context)
        trained = train_or_load(run, context.links, context.progress)
        links = {link.name.label: link for link in run.links(trained)}
        return cls(job, context, run, links, links[named(job.schemes[0]).label])

    @torch.no_grad()
    def send(self, part: str, count: int) -> _Sent:
        """Send the first images of a part of the data set."""
        split = getattr(self.run.splits, part)
        images, labels = (torch.from_numpy(each[:count]) for each in (split.x, split.y))
        first = ("test", "adversary", "validation").index(part) * _SERIES
        counters = torch.arange(first, first + len(images))
        source = generator(self.job.seed, "air", part, device=self.link.device)
        waveforms = torch.cat(
            [
                self.link.transmit_numbered(
                    as_float(images[rows].to(self.link.device)),
                    source,
                    counters[rows].to(self.link.device),
                ).cpu()
                for rows in torch.arange(len(images)).split(_DECODED)
            ]
        )
        return _Sent(images, labels, waveforms, counters)

    def fading(self, count: int, snr_db: float) -> Tensor:
        """Return the fading of messages, complex ``[N, L]``: the same on every path."""
        channel = self.link.channel
        if channel.fading == "awgn" and not isinstance(channel, OfdmChannel):
            return torch.ones(count, 1) + 0j
        source = generator(self.job.seed, "air", "fading", str(float(snr_db)))
        taps, decay = (
            (channel.taps, channel.decay) if isinstance(channel, OfdmChannel) else (1, 1.0)
        )
        return phy.multipath_taps(count, phy.exponential_profile(taps, decay), generator=source)

    def received(self, sent: _Sent, path: str, snr_db: float) -> list[ReceivedFrame]:
        """Return the frames that our receiver finds behind a channel and can decode."""
        source = generator(self.job.seed, "air", path, str(float(snr_db)))
        blocks = (self._ours if path == OURS else self._theirs)(sent, snr_db, source)
        check = HeaderCheck(self.link, self.link.key if self.link.keyed else None)
        frames = frames_in(blocks, FORMAT, self.link.channel_uses)
        return [frame for frame in frames if check.problem(frame) is None]

    def _frames(self, sent: _Sent, rows: Tensor) -> Tensor:
        """Return the samples of some frames, silence behind each, complex64 ``[B, T]``."""
        key = fingerprint(self.link.key) if self.link.keyed else bytes(KEY_BYTES)
        digest, uses = link_digest(self.link), sent.waveforms.shape[1]
        heads = [Header(digest, 1, uses, key, n) for n in sent.counters[rows].tolist()]
        samples = modulate(FORMAT, heads, sent.waveforms[rows])
        return torch.nn.functional.pad(samples, (0, _GAP))

    def _ours(self, sent: _Sent, snr_db: float, source: torch.Generator) -> Iterator[Samples]:
        channel = HardwareChannel(snr_db=snr_db, cfo_hz=_CFO * FORMAT.spacing, sro_ppm=_SRO_PPM)
        taps = self.fading(len(sent.images), snr_db)
        for rows in torch.arange(len(sent.images)).split(_AT_ONCE):
            faded = phy.convolve(self._frames(sent, rows), taps[rows])
            yield channel(faded, FORMAT, generator=source).flatten().numpy()

    def _theirs(self, sent: _Sent, snr_db: float, source: torch.Generator) -> Iterator[Samples]:
        common = {
            "noise_voltage": HardwareChannel(snr_db=snr_db).noise_variance(FORMAT) ** 0.5,
            "frequency_offset": _CFO * FORMAT.spacing / FORMAT.sample_rate,
            "epsilon": 1 + _SRO_PPM * 1e-6,
        }
        taps = torch.view_as_real(self.fading(len(sent.images), snr_db)).tolist()
        # Its process takes longer to start than to do its work.
        for rows in torch.arange(len(sent.images)).split(_PIECES):
            # Its generator of noise takes no seed of 0.
            channels = [common | {"taps": taps[row], "seed": 1 + row} for row in rows.tolist()]
            yield through_gnuradio(self._frames(sent, rows).flatten().numpy(), channels)

    def _own(
        self, channel: Channel, sent: _Sent, snr_db: float, source: torch.Generator
    ) -> Iterator[tuple[Tensor, Reception]]:
        taps = self.fading(len(sent.images), snr_db).to(self.link.device)
        for rows in torch.arange(len(sent.images)).split(_DECODED):
            frame = channel.frame(sent.waveforms[rows].to(self.link.device))
            arrival = Arrival(phy.convolve(frame, taps[rows]), taps[rows])
            yield rows, channel.hear(arrival, snr_db, generator=source)

    @torch.no_grad()
    def receptions(
        self, sent: _Sent, path: str, snr_db: float
    ) -> Iterator[tuple[Tensor, Reception]]:
        """Yield rows of the images and their receptions, of those that arrive."""
        if path in (OWN, KNOWN):
            channel = self.link.channel
            channel = replace(channel, csi="perfect") if path == KNOWN else channel
            words = self.job.seed, "air", path, str(float(snr_db))
            yield from self._own(channel, sent, snr_db, generator(*words, device=self.link.device))
            return
        frames = self.received(sent, path, snr_db)
        for first in range(0, len(frames), _DECODED):
            some = frames[first : first + _DECODED]
            yield _rows(some, sent), joined(some)

    def record(self, role: str, metric: str, found: Estimate, **fields: Any) -> Record:
        """Return a number as a record."""
        path = fields.pop("path", None)
        uses = self.link.channel_uses
        record = Record.of(
            self.link.name,
            found,
            study=self.context.study,
            dataset=self.run.splits.name,
            channel=self.link.channel.name,
            train_snr_db=self.job.recipe.bob.snr_db,
            latent_dim=2 * uses,
            bandwidth_ratio=uses / self.run.splits.test.x[0].size,
            role=role,
            metric=metric,
            target="label" if metric in ("accuracy", "chance") else "image",
            seed=self.job.seed,
            **fields,
        )
        return record if path is None else record.with_params({"path": path})


def _rows(frames: Sequence[ReceivedFrame], sent: _Sent) -> Tensor:
    counters = [frame.header.counter for frame in frames if frame.header is not None]
    return torch.tensor(counters) - sent.counters[0]


def _synchronised(air: _Air) -> Iterator[Record]:
    """Yield Bob's figures at every SNR, on every path."""
    sent = air.send("test", air.job.recipe.audit.images)
    known = [KNOWN] if air.link.channel.csi == "estimated" else []
    paths = [OWN, *known, OURS, *([THEIRS] if installed() else [])]
    levels = air.job.recipe.audit.bob_snr_db
    for place, snr_db in enumerate(levels):
        reference: Tensor | None = None
        for path in paths:
            quality, right, arrived = _answers(air, sent, path, snr_db)
            where = {"path": path, "test_snr_db": snr_db}
            if quality is not None:
                number = bootstrap_mean(quality, air.job.seed)
                yield air.record("bob", "psnr_db", number, **where)
                if path in (OWN, KNOWN):
                    # The last knows most: by it the others are judged.
                    reference = quality
                elif reference is not None:
                    loss = bootstrap_mean(reference - quality, air.job.seed)
                    yield air.record("bob", "psnr_loss_db", loss, **where)
            if right is not None:
                yield air.record("bob", "accuracy", _rate(right), **where)
            yield air.record("bob", "lost_rate", _rate(~arrived), **where)
        if air.context.progress:
            air.context.progress("SNRs", place + 1, len(levels))


def _answers(
    air: _Air, sent: _Sent, path: str, snr_db: float
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """Return PSNR, which answers are right, and which frames arrived, each ``[N]``.

    A frame that is lost shows the mean of the training images, and answers nothing.
    """
    bob, names = Bob(air.link), air.run.splits.classes
    mean = air.run.splits.system.x.mean(0).round().astype(np.uint8)
    shown = np.repeat(mean[None], len(sent.images), 0)
    answers = np.full(len(sent.images), -1)
    arrived = torch.zeros(len(sent.images), dtype=torch.bool)
    images = classes = False
    for rows, reception in air.receptions(sent, path, snr_db):
        made = bob(reception, sent.counters[rows])
        arrived[rows] = True
        if made.images is not None:
            shown[rows.numpy()], images = made.images, True
        if made.answers is not None:
            answers[rows.numpy()] = [names.index(answer) for answer in made.answers]
            classes = True
    quality = psnr_db(as_float(torch.from_numpy(shown)), as_float(sent.images)) if images else None
    right = torch.from_numpy(answers) == sent.labels if classes else None
    return quality, right, arrived


def _attacked(air: _Air) -> Iterator[Record]:
    """Yield Bob's figures under attacks of a Mallory with and without synchronisation."""
    link, run, settings = air.link, air.run, air.job.recipe.attack
    exactly = AttackerConfig(draws=settings.mallory.draws)
    conditions = (
        (SYNCHRONISED, exactly, exactly),
        (UNAWARE, exactly, settings.mallory),
        (TRAINED, settings.mallory, settings.mallory),
    )
    fitted: dict[AttackerConfig, Any] = {}
    for name, trained, met in conditions:
        test = RobustnessTest(
            link.under_test(),
            run.splits,
            run.setting(),
            settings.model_copy(update={"mallory": met}),
            link.device,
        )
        # What she crafts by is the channel that she believes in.
        test.surrogate = replace(test.surrogate, attacker_channel=attacker_channel(trained))
        tell = air.context.progress or (lambda *_: None)
        if trained not in fitted:
            attacks = [each.towards(goal_of(settings)) for each in chosen(settings)]
            fitted[trained] = [each for each in attacks if test.applies(each)]
            for attack in fitted[trained]:
                test.fit(attack, tell)
        for attack in fitted[trained]:
            if name == TRAINED and "baseline" in attack.traits:
                continue
            outcomes = test.under(attack, tell)[""]
            for psr_db, outcome in zip(test.psrs_db, outcomes, strict=True):
                numbers = {"psnr_db": bootstrap_mean(outcome.quality["psnr_db"], air.job.seed)}
                if outcome.answers is not None:
                    right = outcome.answers == test.labels
                    numbers["accuracy"] = _rate(right)
                for metric, number in numbers.items():
                    record = air.record(
                        "bob",
                        metric,
                        number,
                        adversary=attack.name,
                        protocol="adaptive",
                        psr_db=psr_db,
                        test_snr_db=test.snr_db,
                    )
                    yield record.with_params({"mallory": name})


class _Overheard(Intercepts):
    """What a receiver made of one recording: every image was sent, and received, once."""

    def __init__(self, reception: Reception, images: Tensor, labels: Tensor) -> None:
        self.reception, self.images, self.labels = reception, images, labels
        self.device = images.device

    def __len__(self) -> int:
        return len(self.images)

    @property
    def width(self) -> int:
        """Reals per reception."""
        return 2 * self.reception.symbols.shape[1] + 1

    def resent(self, number: int, shift: int = 0) -> Intercepts:
        """Return the same: there is one recording."""
        return self

    def receive(self, rows: Tensor, snr_db: Tensor | float, source: Randomness) -> Reception:
        """Return some of the receptions, at the SNR that they were received at."""
        heard = self.reception
        pilots = None if heard.pilots is None else heard.pilots[rows]
        return Reception(heard.symbols[rows], heard.csi[rows], heard.noise_variance[rows], pilots)


def _overheard(air: _Air) -> Iterator[Record]:
    """Yield what eavesdroppers on recordings, and Bob, answer."""
    recipe = air.job.recipe
    (snr_db,) = recipe.audit.eve_snr_db
    own = channel_of(recipe.eve)
    counts = {
        "adversary": recipe.attack.train_images,
        "validation": recipe.attack.train_images // 5,
        "test": recipe.audit.images,
    }
    sent = {part: air.send(part, count) for part, count in counts.items()}
    frames = {part: air.received(each, OURS, snr_db) for part, each in sent.items()}
    heard = {part: _intercepts(air.link, sent[part], frames[part], own) for part in counts}
    heads = [head.header for part in frames.values() for head in part if head.header is not None]
    # What headers state beside their counters.
    stated = {(head.version, head.link, head.key, head.images, head.symbols) for head in heads}
    distinct = Estimate(len(stated), len(stated), len(stated), len(heads))
    where = {"test_snr_db": snr_db, "path": OURS, "asymmetry": air.link.asymmetry}
    yield air.record("system", "distinct_headers", distinct, **where)
    names, labels = air.run.splits.classes, heard["test"].labels
    most = int(torch.bincount(heard["adversary"].labels).argmax())
    yield air.record("system", "chance", _rate(labels == most), **where)
    tested = _rows(frames["test"], sent["test"])
    answers = Bob(air.link)(joined(frames["test"]), sent["test"].counters[tested]).answers
    assert answers is not None
    right = torch.tensor([names.index(answer) for answer in answers]) == labels.cpu()
    yield air.record("bob", "accuracy", _rate(right), **where)
    audit, rows = recipe.audit, torch.arange(len(labels), device=labels.device)
    observations = Observations(
        heard["adversary"],
        heard["validation"],
        (snr_db,),
        len(names),
        Effort(audit.max_epochs, audit.patience, audit.batch, audit.rounds),
        air.job.seed,
        _no_judge,
    )
    for given in chosen_eves(audit):
        eve = given.fresh()
        eve.fit(observations)
        guesses = eve.listen(heard["test"].receive(rows, snr_db, None), snr_db)
        found = _rate(guesses.argmax(1) == labels)
        fields = {**where, "adversary": eve.adversary, "protocol": "adaptive"}
        yield air.record("eve", "accuracy", found, **fields)
        if air.context.progress:
            air.context.progress(f"{air.link.name.label}: {eve.adversary}", 1, 1)


def _rate(right: Tensor) -> Estimate:
    return wilson(int(right.sum()), len(right))


def _intercepts(
    link: Link, sent: _Sent, frames: Sequence[ReceivedFrame], channel: Channel
) -> _Overheard:
    rows, device = _rows(frames, sent), link.device
    heard = like(joined(frames), channel)
    pilots = None if heard.pilots is None else heard.pilots.to(device)
    noise = heard.noise_variance.to(device)
    reception = Reception(heard.symbols.to(device), heard.csi.to(device), noise, pilots)
    return _Overheard(reception, sent.images[rows].to(device), sent.labels[rows].to(device))


def _no_judge() -> PerceptualLoss:
    raise ValueError("eavesdroppers on recordings infer labels")


@styled
def against_snr(frame: pd.DataFrame) -> Figure:
    """Draw the PSNR of every link against the SNR, a line for each way to Bob."""
    rows = frame[(frame["metric"] == "psnr_db") & frame["adversary"].isna()]
    looks = series(rows["params.path"].unique())
    drawn = []
    for scheme, part in rows.groupby("scheme", sort=False):
        panel = Panel(str(scheme))
        for path, curve in part.groupby("params.path", sort=False):
            panel.curves.append(Curve.of_rows(curve, "test_snr_db", looks[str(path)]))
        drawn.append(panel)
    kind = metric_of("psnr_db")
    return draw(drawn, x="SNR (dB)", metric=kind, legend=looks.items(), shared=False, left=0.5)


@styled
def against_psr(frame: pd.DataFrame, metric: str) -> Figure:
    """Draw Bob under attack against the PSR, a panel for each link and state of Mallory's."""
    rows = frame[(frame["metric"] == metric) & frame["adversary"].notna()]
    looks = attack_looks(rows["adversary"].unique())
    drawn = []
    for (scheme, mallory), part in rows.groupby(["scheme", "params.mallory"], sort=False):
        panel = Panel(f"{scheme}\n{mallory}")
        for attack, curve in part.groupby("adversary", sort=False):
            panel.curves.append(Curve.of_rows(curve, "psr_db", looks[str(attack)]))
        drawn.append(panel)
    return draw(drawn, x="PSR (dB)", metric=metric_of(metric), legend=looks.items())
