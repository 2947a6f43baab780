"""The page of the demonstration, in Gradio: controls on one side, panels on the other."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from semveil.demo.panels import message
from semveil.demo.scene import Controls
from semveil.demo.studio import Picture, Studio
from semveil.errors import SemveilError

LOOPBACK = "127.0.0.1"
_MOST_BYTES = 64 << 20  # of an uploaded file
_CSS = Path(__file__).parent / "templates" / "page.css"
_FONTS = ["system-ui", "sans-serif"]
_FIXED = ["ui-monospace", "monospace"]
# Whatever Gradio may come to load from elsewhere, the browser refuses.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
_ATTACKS = [("No attack", ""), ("Jamming", "jamming"), ("FGM", "fgm"), ("PGD", "pgd")]
_PUBLIC, _SECRET, _WRONG = "public", "secret", "wrong"
_KEYS = [
    ("The link’s public key", _PUBLIC),
    ("A secret key, drawn now", _SECRET),
    ("Bob has a wrong key", _WRONG),
]
_ABOUT = """# semveil demo
Alice sends a picture as complex symbols. Bob receives them, Eve overhears them, Mallory disturbs
them. These links are small and trained on 8×8 digits: they show what happens, not how well a
published system does. Pictures stay on the machine that shows this page."""


def serve(
    studio: Studio, host: str, port: int | None, ready: Callable[[str], None] = lambda url: None
) -> None:
    """Serve the page until it is interrupted.

    Args:
        studio: Links and pictures.
        host: Address to listen on.
        port: TCP port; the first free one from 7860 on if None.
        ready: Called with the address of the page.

    Raises:
        SemveilError: If Gradio is not installed, or nobody can listen there.
    """
    listener = _listen(host, port)
    # Its own folder for what is uploaded, and nothing sent to its makers: read at import.
    with tempfile.TemporaryDirectory(prefix="semveil-demo-") as folder, listener:
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        try:
            import gradio
            import uvicorn
        except ImportError as error:
            raise SemveilError(
                f"demo: {error.name} is not installed; run `pip install 'semveil[demo]'`"
            ) from None
        application = _application(gradio, studio)
        config = uvicorn.Config(application, log_level="error", access_log=False)
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{listener.getsockname()[1]}/")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            studio.close()


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens."""
    candidates = range(7860, 7960) if port is None else [port]
    for number in candidates:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, number), family=family)
        except OSError as error:
            reason = error.strerror or str(error)
    tried = f"port {port}" if port is not None else "ports 7860 to 7959"
    raise SemveilError(f"demo: cannot listen on {host}, {tried}: {reason}")


def _application(gradio: Any, studio: Studio) -> Any:
    from fastapi import FastAPI, Request, Response

    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @application.middleware("http")
    async def restrict(
        request: Request, follow: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await follow(request)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    theme = gradio.themes.Base(font=_FONTS, font_mono=_FIXED)
    return gradio.mount_gradio_app(
        application,
        _blocks(gradio, studio),
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=_MOST_BYTES,
        ssr_mode=False,
        theme=theme,
        css_paths=_CSS,
    )


def _blocks(gr: Any, studio: Studio) -> Any:
    first = studio.names[0]
    examples = studio.examples(first)
    start = next(iter(examples.values()), None)
    with gr.Blocks(title="semveil demo", analytics_enabled=False, delete_cache=(600, 600)) as page:
        pixels, file = gr.State(start), gr.State(None)
        key, draw = gr.State(None), gr.State(0)
        gr.Markdown(_ABOUT)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                link = gr.Dropdown(
                    studio.names, value=first, label="Link", info="One for each scheme.",
                    filterable=False,
                )  # fmt: skip
                picture = gr.Radio(
                    list(examples), value=next(iter(examples), None), label="Picture",
                    info="A test image of each class.",
                )  # fmt: skip
                upload = gr.UploadButton(
                    "Upload a picture", file_types=["image"], elem_id="sv-upload"
                )
                invert = gr.Checkbox(
                    label="Exchange bright and dark",
                    info="For uploads: the digits are bright on black.",
                )
                snr = gr.Slider(-10, 30, 10, step=1, label="Bob’s SNR (dB)")
                gain = gr.Slider(-10, 10, 0, step=1, label="Eve’s SNR over Bob’s (dB)")
                attack = gr.Radio(_ATTACKS, value="", label="Mallory’s attack")
                psr = gr.Slider(-30, 10, -10, step=1, label="Mallory’s PSR (dB)")
                secret = gr.Radio(
                    _KEYS, value=_PUBLIC, label="Key", visible=studio.link(first).keyed
                )
                again = gr.Button("Send again")
            with gr.Column(scale=3, min_width=300):
                problem = gr.HTML(elem_id="sv-message")
                shown = gr.HTML(elem_id="sv-shown")
        timer = gr.Timer(1.0, active=True)
        values = [link, pixels, snr, gain, psr, attack, secret, key, draw]

        def show(
            name: str,
            image: Picture | None,
            snr_db: float,
            gain_db: float,
            psr_db: float,
            attack: str,
            choice: str,
            own_key: bytes | None,
            number: int,
        ) -> str:
            return studio.show(
                name,
                image,
                Controls(
                    snr_db,
                    gain_db,
                    psr_db,
                    attack or None,
                    own_key if choice == _SECRET and studio.link(name).keyed else None,
                    choice == _WRONG and studio.link(name).keyed,
                    number,
                ),
            )

        def choose(name: str, title: str | None, uploaded: str | None, dark: bool) -> Any:
            known = studio.examples(name)
            if uploaded is None and title not in known:
                title = next(iter(known), None)
            try:
                image = (
                    known.get(title or "")
                    if uploaded is None
                    else studio.uploaded(name, uploaded, dark)
                )
                problems = ""
            except SemveilError as error:
                image, problems = gr.skip(), message(str(error))
            keyed = studio.link(name).keyed
            return (
                image,
                problems,
                gr.Radio(choices=list(known), value=None if uploaded else title),
                gr.Radio(visible=keyed),
                gr.Timer(active=studio.waiting(name)),
            )

        def take(name: str, uploaded: str, dark: bool) -> Any:
            try:
                image = studio.uploaded(name, uploaded, dark)
            except SemveilError as error:
                return gr.skip(), gr.skip(), message(str(error)), gr.skip()
            return image, uploaded, "", gr.Radio(value=None)

        def poll(name: str, *rest: Any) -> Any:
            if studio.waiting(name):
                return gr.skip(), gr.skip()
            return show(name, *rest), gr.Timer(active=False)

        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        choice = [pixels, problem, picture, secret, timer]
        moved = [each.change for each in (snr, gain, psr, attack)]
        page.load(show, values, shown, **quiet)
        gr.on(moved, show, values, shown, trigger_mode="always_last", **quiet)
        gr.on(
            [link.input, invert.input], choose, [link, picture, file, invert], choice, **quiet
        ).then(show, values, shown, **quiet)
        picture.input(
            lambda name, title: (studio.examples(name)[title], None, ""),
            [link, picture],
            [pixels, file, problem],
            **quiet,
        ).then(show, values, shown, **quiet)
        upload.upload(take, [link, upload, invert], [pixels, file, problem, picture], **quiet).then(
            show, values, shown, **quiet
        )
        secret.input(
            lambda choice: os.urandom(32) if choice == _SECRET else None, secret, key, **quiet
        ).then(show, values, shown, **quiet)
        again.click(lambda number: number + 1, draw, draw, **quiet).then(
            show, values, shown, **quiet
        )
        timer.tick(poll, values, [shown, timer], **quiet)
    return page
