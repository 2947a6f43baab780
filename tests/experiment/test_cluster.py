"""A study on a Ray cluster of two machines, one of which dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import refusal
from experiment.small import run_jobs, same_results, small_jobs
from semveil.errors import SemveilError
from semveil.experiment.cluster import Cluster

pytestmark = pytest.mark.slow

JOBS = 3
PATIENCE_S = 120.0
MACHINE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    """Two machines, as far as Ray can tell: each has its scheduler, store and processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Or its processes give way to everything else on the machine.
        patch.setenv("RAY_worker_niceness", "0")
        from ray.cluster_utils import Cluster as Machines

        machines = Machines(initialize_head=True, head_node_args=dict(MACHINE))
        try:
            yield machines
        finally:
            machines.shutdown()


def children(parent: int) -> dict[int, str]:
    """Return the processes that one has started, with their titles."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                state = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(state[1]) == parent:
                    title = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(entry.name)] = title.decode().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Death(threading.Thread):
    """Kills a machine with everything on it, as soon as it works on a job."""

    def __init__(self, machine: Any) -> None:
        super().__init__(daemon=True)
        self.raylet = machine.all_processes["raylet"][0].process.pid
        self.lost = ""

    def run(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self.lost and time.monotonic() < deadline:
            for pid, title in children(self.raylet).items():
                if title.startswith("ray::job "):
                    os.kill(self.raylet, signal.SIGKILL)
                    os.kill(pid, signal.SIGKILL)
                    self.lost = title.removeprefix("ray::job ")
                    return
            time.sleep(0.01)


@pytest.mark.slow
def test_a_machine_dies_and_no_job_is_lost_or_recorded_twice(tmp_path: Path, machines: Any) -> None:
    jobs = small_jobs(JOBS)
    death = Death(machines.add_node(**MACHINE))
    death.start()
    told: list[str] = []
    records = run_jobs(tmp_path / "cluster", jobs, Cluster(machines.address), told)
    death.join()
    assert death.lost in {job.name for job in jobs}

    # Told again and again meanwhile, so that who waits can stop.
    waited = [line for line in told if line.endswith(": on the cluster 0/1")]
    assert waited
    assert sorted(line for line in told if line not in waited) == sorted(
        [f"{n + 1}/{JOBS} seed-{n} 1/1" for n in range(JOBS)]
        + [f"jobs {n + 1}/{JOBS}" for n in range(JOBS)]
    )
    assert len(set(records)) == len(records)
    run_jobs(tmp_path / "serial", jobs)
    same_results(tmp_path / "cluster", tmp_path / "serial", jobs)


@pytest.mark.slow
def test_a_job_that_cannot_be_done_says_why_and_the_others_are_kept(
    tmp_path: Path, machines: Any
) -> None:
    # One core: the first has finished before the second begins.
    jobs = small_jobs(2, [(1, "train.batch=400")])
    with pytest.raises(SemveilError, match=r"train\.batch: 400 images a step, but digits has only"):
        run_jobs(tmp_path / "study", jobs, Cluster(machines.address))
    assert [path.name for path in (tmp_path / "study" / "jobs").iterdir()] == ["seed-0"]
    kept = tmp_path / "study" / "jobs" / "seed-0" / "records.jsonl"
    before = kept.stat().st_mtime_ns
    # Goes on elsewhere, with a setting that works.
    assert {r.seed for r in run_jobs(tmp_path / "study", small_jobs(2))} == {0, 1}
    assert kept.stat().st_mtime_ns == before


def test_a_job_for_which_no_machine_is_large_enough_is_refused(
    tmp_path: Path, machines: Any
) -> None:
    with pytest.raises(SemveilError, match=r"no machine of the cluster has 3 cores and 0\.5 GPUs"):
        run_jobs(tmp_path / "study", small_jobs(1), Cluster(machines.address, 3, 0.5))


def test_machines_that_are_too_small_are_told_before_there_is_a_folder(
    semveil, tmp_path: Path, machines: Any
) -> None:
    words = ("study", "minmax-settings", "--budget", "smoke", "--cores-per-job", "3")
    line = refusal(semveil(*words, "--ray", machines.address, folder=tmp_path))
    assert line.startswith("no machine of the cluster has 3 cores and 0 GPUs for a job")
    assert list(tmp_path.iterdir()) == []
    Cluster(machines.address).check()


def test_a_cluster_that_is_not_there_is_one_line(semveil, tmp_path: Path) -> None:
    words = ("study", "minmax-settings", "--budget", "smoke", "--ray", "127.0.0.1:1")
    line = refusal(semveil(*words, folder=tmp_path))
    assert line.startswith("ray 127.0.0.1:1: cannot be reached: ")
    assert list(tmp_path.iterdir()) == []
