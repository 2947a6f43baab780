"""``semveil demo``: a page to play with."""

from __future__ import annotations

from typing import Annotated

import typer

from semveil.cli.options import Device, OnDevice


def demo(
    links: Annotated[
        list[str] | None,
        typer.Argument(help="Zoo entries or folders of runs; the digits of the zoo if omitted."),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; 0.0.0.0 lets other machines in."),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, help="TCP port; the first free one from 7860 on if omitted."
        ),
    ] = None,
    device: OnDevice = Device.cpu,
) -> None:
    """Show in the browser what Bob, Eve and Mallory make of a picture."""
    from semveil import api

    api.demo(links or (), host=host, port=port, device=device.value, ready=_announce)


def _announce(url: str) -> None:
    print(f"Open {url} in a browser; Ctrl+C ends it.", flush=True)
