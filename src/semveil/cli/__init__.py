"""The command line, one file per command. Nothing slow is imported before a command needs it."""

from __future__ import annotations

from semveil.cli import (
    attack,
    audit,
    bench,
    data,
    harden,
    list_,
    report,
    run,
    show,
    study,
    train,
)
from semveil.cli.app import app, main

__all__ = ["main"]

for _command in (
    run.run,
    train.train,
    audit.audit,
    attack.attack,
    harden.harden,
    study.study,
    report.report,
    show.show,
):
    app.command()(_command)
app.add_typer(data.data_app, name="data")
app.command("list")(list_.list_names)
app.command()(bench.bench)
