"""A run's folder, filled step by step; every step leaves its result before the next begins.

``run.json`` is written first and says everything that the run needs, so a run that was
interrupted anywhere resumes from its folder and gives the same numbers.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from semveil import data
from semveil import recipe as recipes
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss, load_judge
from semveil.data.splits import ImageSplits
from semveil.device import channels_last, one_thread
from semveil.errors import SemveilError, SemveilWarning, shown, unknown
from semveil.evaluation.measure import Findings, audit_system
from semveil.evaluation.system import Conditions
from semveil.experiment.choices import packages
from semveil.experiment.estimate import refuse_too_large
from semveil.experiment.kept import keep
from semveil.experiment.link import Link
from semveil.experiment.partial_results import PartialResults
from semveil.experiment.plan import SystemPlan, complete, plan, requested
from semveil.experiment.process import SLOW, Process, begin_imports, ready, stop
from semveil.experiment.provenance import of_its_version, provenance
from semveil.experiment.training import (
    Hardware,
    TrainedNetworks,
    build_objective,
    load,
    save,
    train,
)
from semveil.facts import RunFacts, read_facts
from semveil.files import new_folder, write_atomic
from semveil.nets.convolutional import ImageShape
from semveil.plugin_errors import of_plugin
from semveil.recipe import AuditConfig, Recipe
from semveil.records import Asked, from_plain, named, to_plain, write_records
from semveil.result import Samples, write_samples
from semveil.training.loop import Progress, checkpoint_path, write_history

MODEL, RECORDS, SAMPLES, FACTS = "model.safetensors", "records.jsonl", "samples.npz", "run.json"
HISTORY, PAGE = "history.jsonl", "report.html"
# Bytes of images; CIFAR-10 has ten times as many.
_FEW = 1 << 24
_ADVICE = "what was measured is kept; resume the run with fewer workers"


class MeasuredFolder:
    """A folder with facts, records and a page of what was measured in it."""

    folder: Path
    facts: dict[str, Any]

    def write_facts(self) -> None:
        """Write down what was begun."""
        write_atomic(self.folder / FACTS, self._facts_text())

    def _facts_text(self) -> str:
        return json.dumps(self.facts, indent=1) + "\n"

    def _add_time(self, started: float) -> None:
        self.facts["wall_s"] = round(self.facts["wall_s"] + time.monotonic() - started, 1)
        self.write_facts()

    def _gather(
        self, links: Iterable[Link], samples: Samples, measure: Callable[[Link], Findings]
    ) -> None:
        """Measure every link that is not measured yet, and write what was found of all."""
        findings, parts = Findings(samples=samples), PartialResults(self.folder)
        for link in links:
            part = parts.get(link.plan.stream, partial(measure, link))
            findings.records += part.records
            findings.samples |= part.samples
        write_samples(self.folder / SAMPLES, findings.samples)
        write_records(self.folder / RECORDS, findings.records)

    def _finish(self, started: float) -> None:
        PartialResults(self.folder).remove()
        if not self.facts["finished"]:
            self.facts["finished"] = True
            self._add_time(started)

    def report(self) -> Path:
        """Write the page and return its path."""
        from semveil.report.page import write_report

        page = self.folder / PAGE
        write_report(page, [self.folder])
        return page


@dataclass
class Run(MeasuredFolder):
    """One run and its folder; ``schemes`` is what it measures, the reference first."""

    folder: Path
    study: str
    recipe: Recipe
    schemes: Sequence[Asked]
    seed: int
    hardware: Hardware
    root: Path | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        folder: Path,
        study: str,
        recipe: Recipe,
        schemes: Sequence[Asked],
        seed: int,
        hardware: Hardware,
        root: Path | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Run:
        """Start a run: check everything that can be checked, then make its folder.

        The folder begins with ``run.json``, to which ``facts`` are added, and with ``files``.
        """
        run = cls(folder, study, complete(schemes, recipe), schemes, seed, hardware, root)
        run.check()
        run.facts = {
            "study": study,
            "schemes": [to_plain(asked) for asked in schemes],
            "seed": seed,
            "recipe": run.recipe.model_dump(),
            "images": image_facts(run.splits),
            "wall_s": 0.0,
            "finished": False,
            "packages": packages(run.recipe, map(named, schemes)),
        } | provenance(hardware.device, hardware.devices)
        run.facts |= facts or {}
        new_folder(folder, {FACTS: run._facts_text(), **(files or {})})
        return run

    def check(self) -> None:
        """Check everything that can be checked before something slow starts."""
        splits, systems = self.splits, plan(self.schemes, self.recipe)
        batch, devices = self.recipe.train.batch, self.hardware.devices
        if batch > len(splits.system):
            raise SemveilError(
                f"train.batch: {batch} images a step, but {splits.name} has only "
                f"{len(splits.system)} for the system"
            )
        if batch % devices:
            raise SemveilError(
                f"train.batch: {batch} images are not shared by {devices} devices evenly"
            )
        refuse_too_large(systems, self.recipe, splits, devices, self.hardware.device)
        trained = self.untrained()
        for stage in trained.stages():
            build_objective(trained, systems, stage)
        # A file that cannot be used is told before anything slow starts.
        _ = self._perceptual

    @classmethod
    def open(cls, folder: Path, hardware: Hardware, root: Path | None = None) -> Run:
        """Open the folder of a run that was started."""
        missing = f"{folder} holds no run: there is no {FACTS} in it"
        path = folder / FACTS
        return cls.of_facts(read_facts(path, RunFacts, missing), path, hardware, root)

    @classmethod
    def of_facts(
        cls, facts: dict[str, Any], path: Path, hardware: Hardware, root: Path | None = None
    ) -> Run:
        """Return the run that facts of :class:`RunFacts` describe; they were read from ``path``."""
        with of_its_version(facts, path):
            asked = [from_plain(each) for each in facts["schemes"]]
            recipe = recipes.check(facts["recipe"])
        run = cls(path.parent, facts["study"], recipe, asked, facts["seed"], hardware, root)
        run.facts = facts
        return run

    @cached_property
    def splits(self) -> ImageSplits:
        """The images, loaded once."""
        return data.load_configured(self.recipe.data, self.root, self.seed)

    def train(self, progress: Progress | None = None) -> TrainedNetworks:
        """Train what is not trained yet and return the networks."""
        path = self.folder / MODEL
        if path.exists():
            trained = self.untrained()
            load(trained, path, self.recipe, self.seed)
            self._remove_checkpoints(trained)
            return self._placed(trained)
        started = time.monotonic()
        with self._cpu_time(), self._threads():
            trained, history = train(
                self.schemes,
                self.recipe,
                self.splits,
                self.seed,
                self.folder,
                self.hardware,
                progress,
            )
        write_history(self.folder / HISTORY, history)
        save(trained, path, self.recipe, self.seed)
        self._remove_checkpoints(trained)
        self._add_time(started)
        return self._placed(trained)

    def _placed(self, trained: TrainedNetworks) -> TrainedNetworks:
        """Return networks where they are used, in one layout: rounding depends on it."""
        channels_last(trained.to(self.hardware.device))
        return trained

    @contextmanager
    def _cpu_time(self) -> Iterator[None]:
        """Add the processor time of training to the facts, also if it is interrupted."""
        _ = self.splits
        before, started = self.facts.get("train_cpu_s", 0.0), _cpu_s()
        try:
            yield
        except KeyboardInterrupt:
            self.facts["train_cpu_s"] = round(before + _cpu_s() - started, 1)
            self.write_facts()
            raise
        self.facts["train_cpu_s"] = round(before + _cpu_s() - started, 1)

    def untrained(self) -> TrainedNetworks:
        """Return its networks with their initial weights."""
        shape, classes = self.image_shape, len(self.class_names)
        systems = plan(self.schemes, self.recipe)
        private = self.private_classes
        networks = TrainedNetworks(systems, self.recipe, shape, classes, self.seed, private)
        if not self.facts.get("simulated_eve", True):
            networks.forget_eves()
        return networks

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width of the images; known without the data set."""
        if self.facts.get("images") is None:
            return self.splits.image_shape
        channels, height, width = self.facts["images"]["shape"]
        return channels, height, width

    @property
    def class_names(self) -> tuple[str, ...]:
        """Answers of the task; known without the data set."""
        if self.facts.get("images") is None:
            return self.splits.classes
        return tuple(self.facts["images"]["classes"])

    @property
    def private_classes(self) -> int | None:
        """Number of private classes, None if Eve is after Bob's task; known without the set."""
        if self.facts.get("images") is None:
            return self.splits.n_private_classes
        names = self.facts["images"].get("private_classes")
        return None if names is None else len(names)

    def _remove_checkpoints(self, trained: TrainedNetworks) -> None:
        for stage in trained.stages():
            # A folder that cannot be written to may hold a trained link.
            if (path := checkpoint_path(self.folder, stage)).exists():
                path.unlink()

    def audit(
        self,
        trained: TrainedNetworks,
        progress: Progress | None = None,
        workers: int | None = None,
    ) -> None:
        """Measure every system that is not measured yet and write the records.

        Args:
            trained: Its networks.
            progress: Called with stage, steps done, steps in all.
            workers: Systems at a time, each in a process; None for one after another in this one.
        """
        started = time.monotonic()
        if not (self.folder / RECORDS).exists():
            if workers is not None:
                self._audit_at_once(workers, progress)
            audited = partial(self._audited, progress=progress)
            with self._threads():
                self._gather(self.links(trained), self.originals(), audited)
        self._finish(started)

    def _threads(self) -> AbstractContextManager[None]:
        """Return a block with one thread if the images are few, with all threads otherwise.

        On small batches a second thread costs as much as it does, so it gains nothing; and with one
        thread the numbers do not depend on the machine's cores.
        """
        parts = (self.splits.system, self.splits.adversary, self.splits.validation)
        few = sum(part.x.nbytes for part in parts) <= _FEW and self.hardware.device.type == "cpu"
        return one_thread() if few else nullcontext()

    @staticmethod
    def begin_workers() -> None:
        """Let the imports of the processes of :meth:`audit` go on while this one trains."""
        begin_imports([__name__, *SLOW])

    def _audit_at_once(self, workers: int, progress: Progress | None) -> None:
        """Measure the systems that are not measured yet in processes, so many at a time."""
        parts = PartialResults(self.folder)
        streams = [each.stream for each in plan(self.schemes, self.recipe)]
        waiting = deque(stream for stream in streams if not parts.has(stream))
        threads = max(1, torch.get_num_threads() // workers)
        busy: dict[Connection, Process] = {}
        try:
            while waiting or busy:
                while waiting and len(busy) < workers:
                    stream = waiting.popleft()
                    given = self.folder, self.hardware, self.root, stream
                    process = Process(
                        f"audit of {stream}", _audit_one, given, threads, [__name__, *SLOW]
                    )
                    busy[process.pipe] = process
                for pipe in ready(list(busy)):
                    if busy[pipe].listen(progress or _silent, _ADVICE):
                        busy.pop(pipe).stop()
        finally:
            stop(busy.values())

    def _audited(self, link: Link, progress: Progress | None) -> Findings:
        found = audit_system(
            link.under_test(),
            self.splits,
            self.setting(),
            self._attacks(link.plan),
            self.hardware.device,
            progress,
            self._perceptual,
        )
        classes = self.splits.private_classes or self.splits.classes
        keep(self.folder, link.plan.stream, found.eavesdroppers, classes)
        return found

    def links(self, trained: TrainedNetworks) -> list[Link]:
        """Return every system of the run, its networks frozen."""
        trained.requires_grad_(False).eval()
        systems = plan(self.schemes, self.recipe)
        return [Link(each, trained, self.seed, run=self) for each in systems]

    def link(self, system: str | None = None) -> Link:
        """Return one system of a trained run."""
        self.require_trained()
        if not isinstance(system, str | None):
            raise SemveilError(f"system: expected a name, not {shown(repr(system))}")
        method = self.recipe.harden.method
        asked = replace(requested(self.recipe), training=None if method == "none" else method)
        links = {link.name.label: link for link in self.links(self.train())}
        wanted = system or asked.label
        if wanted not in links:
            raise unknown("system", wanted, links)
        return links[wanted]

    def require_trained(self) -> None:
        """Raise unless the run is trained."""
        if not (self.folder / MODEL).exists():
            raise SemveilError(
                f"{self.folder} is not trained: finish it with `semveil train --resume`"
            )

    def setting(self) -> Conditions:
        """Return where and when its systems are measured."""
        return Conditions.of(self.recipe, self.study, self.seed)

    @cached_property
    def _perceptual(self) -> PerceptualLoss | None:
        """The perceptual loss by weights that the user supplies; None if Eve trains her own."""
        path = self.recipe.audit.perceptual_weights
        if path is None:
            return None
        splits = self.splits
        classes = len(splits.private_classes or range(splits.n_classes))
        judge = load_judge(path, splits.image_shape, classes).to(self.hardware.device)
        return PerceptualLoss(judge.features)

    def _attacks(self, planned: SystemPlan) -> AuditConfig:
        settings = self.recipe.audit
        if planned.is_control and not settings.invert_controls:
            return settings.model_copy(update={"inversion": []})
        return settings

    def originals(self) -> Samples:
        """Return the test images that are kept for pictures, and their labels."""
        shown = self.recipe.audit.pictures
        test = self.splits.test
        return {"originals": test.x[:shown], "labels": test.y[:shown]}


def _audit_one(
    folder: Path, hardware: Hardware, root: Path | None, stream: str, progress: Progress
) -> None:
    """Measure one system of a trained run, in a process of its own."""
    with warnings.catch_warnings():
        # The first process has shown them.
        warnings.simplefilter("ignore", SemveilWarning)
        run = Run.open(folder, hardware, root)
        links = {link.plan.stream: link for link in run.links(run.train())}
    measure = partial(run._audited, links[stream], progress)
    try:
        with run._threads():
            PartialResults(folder).get(stream, measure)
    except Exception as error:
        if isinstance(error, SemveilError) or (refusal := of_plugin(error)) is None:
            raise
        # As one line, which reaches the user from another process too.
        raise refusal from error


def _silent(stage: str, done: int, total: int) -> None:
    pass


def _cpu_s() -> float:
    """Return the processor time, s, of this process and of those that it started and that ended."""
    return sum(os.times()[:4])


def image_facts(splits: ImageSplits) -> dict[str, Any]:
    """Return what a run and its report must know of its images before they are read again."""
    found = {"shape": list(splits.image_shape), "classes": list(splits.classes)}
    if splits.private_classes is not None:
        found["private_classes"] = list(splits.private_classes)
    return found
