"""Doing the jobs of a study on a Ray cluster, whose machines may come and go.

A job works in a scratch folder of the machine that it runs on, and its files travel back as
bytes: no shared file system and no data folder is needed on the machines. The process that
called alone writes the study's folder, so that a job is recorded once however often it was tried.
"""

from __future__ import annotations

import os
import shutil
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import torch

from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.experiment.run import FACTS, RECORDS
from semveil.files import new_folder, write_atomic
from semveil.studies.base import Job
from semveil.studies.jobs import (
    FINISHED,
    JobContext,
    OnProgress,
    read_images,
    run_job,
    which_images,
)

# Machines that are lent for a while are taken away more than once in a long job.
RETRIES = 20

Files = dict[str, bytes]


@dataclass(frozen=True)
class Cluster:
    """Runner on a Ray cluster.

    Attributes:
        address: Where it is, as ``ray.init`` takes it: ``auto`` on one of its machines,
            ``ray://HOST:10001`` from outside, ``local`` for one made of this machine.
        cores: Cores that a job is given, and threads that it uses.
        gpus: GPUs that a job is given, or the part of one.

    Raises:
        SemveilError: If Ray is not installed, or nobody answers at the address.
    """

    address: str
    cores: int = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        _ray()
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        if not port.isdecimal():
            return
        # Ray would try again for minutes.
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise SemveilError(f"--ray {self.address}: cannot be reached: {error}") from None

    def __call__(
        self, folder: Path, jobs: Sequence[Job], means: JobContext, tell: OnProgress
    ) -> None:
        """Do jobs, and write each into a folder of its name when it has finished.

        A job whose machine dies is done again elsewhere.

        Raises:
            SemveilError: As the first job that fails; if the cluster cannot be reached, has no
                machine for such jobs, or loses a job more than :data:`RETRIES` times.
        """
        if not jobs:
            return
        ray = _ray()
        with _connected(ray, self.address):
            self._check_room(ray)
            remote = ray.remote(_do)
            there = replace(means, root=None, progress=None)
            # A machine fetches the images once; its jobs share the memory.
            images: dict[str, Any] = {}
            running: dict[Any, Job] = {}
            for job in jobs:
                which = which_images(job)
                if which not in images:
                    images[which] = ray.put(read_images(job, means))
                asked = remote.options(
                    name=f"job {job.name}",
                    num_cpus=self.cores,
                    num_gpus=self.gpus,
                    max_retries=RETRIES,
                )
                running[asked.remote(job, there, images[which], self.cores)] = job
            while running:
                (ready, *_), _ = ray.wait(list(running), num_returns=1)
                job = running.pop(ready)
                _write(folder / job.name, _result(ray, ready, job))
                tell(job, FINISHED, 1, 1)

    def _check_room(self, ray: ModuleType) -> None:
        # Ray would wait for such a machine without a word.
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(
            machine.get("CPU", 0) >= self.cores and machine.get("GPU", 0) >= self.gpus
            for machine in machines
        ):
            raise SemveilError(
                f"no machine of the cluster has {self.cores} cores and {self.gpus:g} GPUs for a "
                "job: change --cores-per-job or --gpus-per-job, or add a machine first"
            )


def _ray() -> ModuleType:
    # Before the import, which reads it: nothing is reported to anybody.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Jobs without GPUs have nothing to see there.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise SemveilError("--ray needs Ray: pip install 'semveil[scale]'") from None
    return ray


@contextmanager
def _connected(ray: ModuleType, address: str) -> Iterator[None]:
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SemveilError(f"--ray {address}: cannot reach a cluster there: {reason}") from None
    try:
        yield
    finally:
        # Jobs that run end with it.
        ray.shutdown()


def _do(job: Job, means: JobContext, splits: ImageSplits, cores: int) -> Files | str:
    """Do a job on one of the machines; return its files, or why it cannot be done."""
    # Shared images cannot be written to, and nothing does.
    warnings.filterwarnings("ignore", "The given NumPy array is not writable")
    torch.set_num_threads(cores)
    with TemporaryDirectory(prefix="semveil-") as scratch:
        folder = Path(scratch) / job.name
        try:
            run_job(folder, job, replace(means, splits=splits))
        except SemveilError as error:
            return str(error)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


def _result(ray: ModuleType, ready: Any, job: Job) -> Files:
    try:
        result: Files | str = ray.get(ready)
    except ray.exceptions.RayTaskError:
        # A mistake in the job's work, with its traceback.
        raise
    except ray.exceptions.RayError as error:
        raise SemveilError(f"job {job.name} was lost: {error}") from None
    if isinstance(result, str):
        raise SemveilError(result)
    return result


def _write(folder: Path, files: Files) -> None:
    """Write a job's files; it counts as finished when the last of them is there."""
    if folder.exists():
        # What an interrupted attempt on this machine left.
        shutil.rmtree(folder)
    new_folder(folder)
    for name in sorted(files, key=lambda name: (name == RECORDS, name != FACTS)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, files[name])
