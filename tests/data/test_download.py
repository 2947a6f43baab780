"""Downloads from a server that drops, stalls, lies and refuses."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from semveil.data.download import ROUNDS, Remote, download
from semveil.errors import SemveilError

if TYPE_CHECKING:
    from web import Server

CONTENT = np.random.default_rng(0).bytes(300_000)
FILE = Remote("set.gz", len(CONTENT), "sha256", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def _file(server: Server) -> None:
    server.files["set.gz"] = CONTENT


def drop(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    """Announce everything, send all but the last 100,000 bytes and hang up."""
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    handler.wfile.write(content[start:-100_000])


def stall(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[:1000])
    handler.wfile.flush()
    server.over.wait(20)


def whole(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    """Ignore the range asked for."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def wrong(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    whole(server, handler, bytes(len(content)), start)


def longer(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    whole(server, handler, content + b"more", start)


def endless(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    """Send too much without having said how much."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(content + b"more")


def shorter(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    """Send too little without having said how much."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(content[start:-1])


def elsewhere(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    """Send another range than the one asked for."""
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 0-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def busy(server: Server, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
    handler.send_error(503)


def get(server: Server, folder: Path, **options: float) -> Path:
    return download(FILE, folder, [server.url], timeout=options.get("timeout", 5.0))


def assert_sound(folder: Path) -> None:
    assert {f.name for f in folder.iterdir()} == {"set.gz"}
    assert (folder / "set.gz").read_bytes() == CONTENT


def test_plain_download_reports_progress_and_is_not_repeated(
    server: Server, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    download(FILE, tmp_path, [server.url], progress=lambda *now: seen.append(now))
    assert_sound(tmp_path)
    assert seen[-1] == ("set.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    get(server, tmp_path)
    assert len(server.requests) == 1


def test_dropped_connection_is_continued_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.faults = [drop]
    get(server, tmp_path)
    assert_sound(tmp_path)
    assert [asked for _, asked in server.requests] == [None, "bytes=200000-"]


def test_partial_file_of_an_earlier_run_is_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.gz.part").write_bytes(CONTENT[:123])
    get(server, tmp_path)
    assert_sound(tmp_path)
    assert [asked for _, asked in server.requests] == ["bytes=123-"]


def test_complete_partial_file_needs_no_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.gz.part").write_bytes(CONTENT)
    get(server, tmp_path)
    assert_sound(tmp_path)
    assert not server.requests


@pytest.mark.parametrize("left", [b"x" * 500, b"x" * 300_000, b"x" * 300_001])
def test_wrong_partial_file_is_discarded(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "set.gz.part").write_bytes(left)
    get(server, tmp_path)
    assert_sound(tmp_path)


@pytest.mark.parametrize("fault", [whole, elsewhere])
def test_server_that_cannot_continue_is_asked_from_the_start(
    server: Server, tmp_path: Path, fault: object
) -> None:
    server.faults = [drop, fault]
    get(server, tmp_path)
    assert_sound(tmp_path)


def test_stall_is_noticed_and_continued(server: Server, tmp_path: Path) -> None:
    server.faults = [stall]
    get(server, tmp_path, timeout=0.3)
    assert_sound(tmp_path)
    assert server.requests[1][1] == "bytes=1000-"


def test_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.faults = [busy, shorter, busy]
    get(server, tmp_path)
    assert_sound(tmp_path)


def test_unfinished_download_keeps_its_part_for_the_next_run(
    server: Server, tmp_path: Path
) -> None:
    server.faults = [stall] + [busy] * (ROUNDS - 1)
    with pytest.raises(SemveilError, match=r"set.gz .*HTTP 503.*run it again to continue") as error:
        get(server, tmp_path, timeout=0.3)
    assert "\n" not in str(error.value)
    assert {f.name for f in tmp_path.iterdir()} == {"set.gz.part"}
    assert (tmp_path / "set.gz.part").read_bytes() == CONTENT[:1000]
    get(server, tmp_path)
    assert_sound(tmp_path)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (wrong, "sha256 differs"),
        (longer, "offers 300004 bytes, not 300000"),
        (endless, "more than 300000 bytes"),
    ],
)
def test_other_content_is_refused_at_once_and_leaves_nothing(
    server: Server, tmp_path: Path, fault: object, reason: str
) -> None:
    server.faults = [fault] * ROUNDS
    with pytest.raises(SemveilError, match=reason):
        get(server, tmp_path)
    assert not list(tmp_path.iterdir())
    assert len(server.requests) == 1


def test_file_that_ends_early_is_asked_for_again_and_never_taken(
    server: Server, tmp_path: Path
) -> None:
    server.files["set.gz"] = CONTENT[:-1]
    with pytest.raises(SemveilError, match="offers 299999 bytes"):
        get(server, tmp_path)
    assert not (tmp_path / "set.gz").exists()
    server.files["set.gz"] = CONTENT
    server.faults = [shorter]
    get(server, tmp_path)
    assert_sound(tmp_path)


def test_missing_file_is_not_asked_for_twice(server: Server, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(SemveilError, match=r"127\.0\.0\.1.*HTTP 404 Not Found"):
        get(server, tmp_path)
    assert len(server.requests) == 1


def test_sources_are_tried_in_order(server: Server, tmp_path: Path) -> None:
    server.files["good/set.gz"] = CONTENT
    sources = [f"{server.url}{name}/" for name in ("none", "good", "unused")]
    download(FILE, tmp_path, sources)
    assert_sound(tmp_path)
    assert [path for path, _ in server.requests] == ["/none/set.gz", "/good/set.gz"]


def test_second_source_continues_what_the_first_began(server: Server, tmp_path: Path) -> None:
    server.files |= {"a/set.gz": CONTENT, "b/set.gz": CONTENT}
    server.faults = [drop]
    download(FILE, tmp_path, [f"{server.url}a/", f"{server.url}b/"])
    assert_sound(tmp_path)
    assert server.requests[-1] == ("/b/set.gz", "bytes=200000-")


def test_nobody_listens(server: Server, tmp_path: Path) -> None:
    server.http.socket.close()
    with pytest.raises(SemveilError, match=r"cannot download set.gz \(http://127"):
        get(server, tmp_path)


def test_altered_file_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.gz").write_bytes(b"something else")
    get(server, tmp_path)
    assert_sound(tmp_path)


def test_old_file_stays_if_the_download_fails(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.gz").write_bytes(b"something else")
    server.faults = [wrong]
    with pytest.raises(SemveilError):
        get(server, tmp_path)
    assert (tmp_path / "set.gz").read_bytes() == b"something else"


def test_full_disk_is_said(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SemveilError, match=r"cannot write .*set.gz.part: No space left"):
        get(server, tmp_path)
    assert not (tmp_path / "set.gz").exists()


def test_two_downloads_to_one_place_do_not_mix(server: Server, tmp_path: Path) -> None:
    with (tmp_path / "set.gz.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SemveilError, match="by another process"):
            get(server, tmp_path)
    get(server, tmp_path)
    assert_sound(tmp_path)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://[::1/z/", "not a valid address: Invalid IPv6 URL"),
        ("http://localhost:1/z\u00e9/", "letters beyond ASCII"),
        ("http://localhost:one/", "not a valid address: nonnumeric port"),
    ],
)
def test_what_is_no_address_is_refused_at_once_and_leaves_nothing(
    tmp_path: Path, address: str, reason: str
) -> None:
    with pytest.raises(SemveilError, match=reason):
        download(FILE, tmp_path, [address])
    assert not list(tmp_path.iterdir())
