"""The command line, one file per command. Nothing slow is imported before a command needs it."""

from __future__ import annotations

from semveil.cli import (
    attack,
    audit,
    bench,
    data,
    harden,
    list_,
    papers,
    report,
    reproduce,
    run,
    send,
    show,
    study,
    zoo,
)
from semveil.cli.app import app, command, main

__all__ = ["main"]

for _command in (
    run.run,
    run.train,
    audit.audit,
    attack.attack,
    harden.harden,
    study.study,
    send.send,
    reproduce.reproduce,
    papers.papers,
    report.report,
    show.show,
):
    command(_command)
app.add_typer(data.data_app, name="data")
app.add_typer(zoo.zoo_app, name="zoo")
command(list_.list_names, "list")
command(bench.bench)
