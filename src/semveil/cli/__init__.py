"""The command line, one file per command. Nothing slow is imported before a command needs it."""

from __future__ import annotations

from semveil.cli import (
    adapt,
    attack,
    audit,
    bench,
    channel,
    conform,
    cost,
    data,
    demo,
    export,
    harden,
    inspect_,
    jam,
    leaderboard,
    list_,
    overhear,
    papers,
    receive,
    report,
    reproduce,
    run,
    send,
    show,
    study,
    transmit,
    zoo,
)
from semveil.cli.app import app, command, main

__all__ = ["main"]

for _command in (
    run.run,
    run.train,
    audit.audit,
    attack.attack,
    conform.conform,
    cost.cost,
    harden.harden,
    export.export,
    adapt.adapt,
    study.study,
    send.send,
    demo.demo,
    transmit.transmit,
    channel.channel,
    receive.receive,
    overhear.overhear,
    jam.jam,
    inspect_.inspect,
    reproduce.reproduce,
    papers.papers,
    report.report,
    show.show,
):
    command(_command)
app.add_typer(data.data_app, name="data")
app.add_typer(zoo.zoo_app, name="zoo")
app.add_typer(leaderboard.leaderboard_app, name="leaderboard")
command(list_.list_names, "list")
command(bench.bench)
