"""Moved to :mod:`semveil.experiment.jobs`."""

from semveil.experiment.jobs import (
    FINISHED,
    JobContext,
    begin,
    is_finished,
    read_images,
    run_job,
    train_and_audit,
    work_of,
    write_results,
)

__all__ = [
    "FINISHED",
    "JobContext",
    "begin",
    "is_finished",
    "read_images",
    "run_job",
    "train_and_audit",
    "work_of",
    "write_results",
]
