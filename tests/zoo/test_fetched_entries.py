"""Fetching entries from a local server that is sound, or is not."""

from __future__ import annotations

import json
import shutil

import pytest

import semveil as package
from commands import content, eventually, refusal, succeed
from forge import restate
from web import running, serve

NAME = "digits/tiny"
FILES = ("config.json", "model.safetensors", "records.jsonl", "README.md")
# No pauses between attempts, and little patience.
QUICK = """
import os
import semveil.data.download as download
import semveil.zoo.fetch as fetch
os.environ["no_proxy"] = "127.0.0.1"
download.PAUSE, fetch.TIMEOUT_S = 0.0, 0.2
"""


@pytest.fixture
def server(packed):
    with running() as found:
        found.files = {f"{NAME}/{file}": (packed / NAME / file).read_bytes() for file in FILES}
        yield found


@pytest.fixture
def fetch(command, server, zoo):
    """``semveil zoo fetch`` where the index is here and the entry is not."""
    shutil.rmtree(zoo / NAME)

    def run(*words, before=QUICK, **variables):
        variables = {"SEMVEIL_ZOO_URL": server.url, **variables}
        return command("fetch", "--quiet", *(words or (NAME,)), before=before, **variables)

    return run


def fetched(tmp_path):
    return tmp_path / "cache" / "semveil" / "zoo" / NAME


def test_an_entry_is_fetched_whole_and_once(fetch, server, packed, command, tmp_path, monkeypatch):
    assert "not here" in succeed(command("list")).out
    assert f"semveil zoo fetch {NAME}" in refusal(command("show", NAME))
    succeed(fetch())
    assert content(fetched(tmp_path)) == content(packed / NAME)
    asked = len(server.requests)
    succeed(fetch())
    assert len(server.requests) == asked == len(FILES)
    assert "[fetched]" in succeed(command("list")).out
    succeed(command("verify", NAME))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert package.load(NAME).name.label == "rotation"


def test_an_entry_of_the_cache_that_is_not_the_indexed_one_is_replaced(fetch, packed, tmp_path):
    succeed(fetch())
    here = fetched(tmp_path)

    def altered():
        (here / "README.md").write_text("something else")

    def emptied():
        shutil.rmtree(here)
        here.mkdir()

    def of_another_version():
        restate(here, version=7)

    for spoil in (altered, emptied, of_another_version):
        spoil()
        succeed(fetch())
        assert content(here) == content(packed / NAME), spoil.__name__


def test_the_address_may_be_an_option(fetch, server, tmp_path):
    succeed(fetch(NAME, "--from", server.url.rstrip("/"), SEMVEIL_ZOO_URL=""))
    assert fetched(tmp_path).is_dir()


def web_page(server, handler, body, start):
    page = b"<html>Please log in.</html>"
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(page)))
    handler.end_headers()
    handler.wfile.write(page)


def stall(server, handler, body, start):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:100])
    handler.wfile.flush()
    server.over.wait(20)


def cut(server, handler, body, start):
    """Hang up in the middle of what is left."""
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    handler.send_header("Content-Length", str(len(body) - start))
    handler.end_headers()
    handler.wfile.write(body[start : start + (len(body) - start) // 2])


def altered(server, handler, body, start):
    serve(server, handler, body[:-1] + bytes([body[-1] ^ 1]), start)


def busy(server, handler, body, start):
    handler.send_error(503)


FAULTS = {
    "a web page": (web_page, "offers 27 bytes"),
    "a stall": (stall, "nothing arrived"),
    "a cut connection": (cut, "connection ended"),
    "other content": (altered, "sha256 differs"),
    "a busy server": (busy, "503"),
}


@pytest.mark.parametrize("sound", [0, 1, 3])
@pytest.mark.parametrize(("fault", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fetch_that_fails_leaves_no_entry(fetch, server, command, tmp_path, fault, said, sound):
    server.faults = [None] * sound + [fault] * 20
    line = refusal(fetch())
    assert said in line
    assert len(line) < 500
    assert not fetched(tmp_path).exists()
    assert "not here" in succeed(command("list")).out
    # Afterwards it goes on from what has arrived.
    server.faults = []
    succeed(fetch())
    succeed(command("verify", NAME))


def test_what_the_server_lacks(fetch, server, tmp_path):
    del server.files[f"{NAME}/README.md"]
    assert "404" in refusal(fetch())
    assert not fetched(tmp_path).exists()


def test_another_version_than_the_indexed_one_is_refused(fetch, server):
    server.files[f"{NAME}/config.json"] = server.files[f"{NAME}/config.json"].replace(b"1", b"2")
    assert "sha256 differs" in refusal(fetch())


def test_no_server(fetch):
    assert "refused" in refusal(fetch(SEMVEIL_ZOO_URL="http://127.0.0.1:9/"))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "SEMVEIL_ZOO_URL"),
        ("ftp://127.0.0.1/", "https://"),
        ("file:///etc", "https://"),
        ("http://[::1/z", "not a valid address: Invalid IPv6 URL"),
        ("http://127.0.0.1:1/z\u00e9", "letters beyond ASCII"),
        ("http://127.0.0.1:port/", "not a valid address: nonnumeric port"),
        ("http://127.0.0.1:1/a b", "not a valid address: URL can't contain"),
        (f"http://{'a' * 80}.invalid/", "overlong name"),
    ],
)
def test_addresses(fetch, address, said):
    assert said in refusal(fetch(SEMVEIL_ZOO_URL=address))


def test_only_what_has_a_digest_is_fetched(fetch, server):
    assert "did you mean" in refusal(fetch("digits/tinny"))
    assert server.requests == []


def test_a_damaged_index_is_told(fetch, zoo):
    (zoo / "index.json").write_text('{"entries": {"digits/tiny": {"bytes": 1, "sha256": "x"}}}')
    assert str(zoo / "index.json") in refusal(fetch())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("http://[::1/z", "not a valid address: Invalid IPv6 URL"),
        ("http://127.0.0.1:port/", "not a valid address: nonnumeric port"),
        (f"http://{'a' * 80}.invalid/", "overlong name"),
        ("file:///etc/passwd", "is not allowed"),
        (f"/{NAME}/config.json", "infinite loop"),
    ],
)
def test_a_server_that_redirects_to_no_address(fetch, server, tmp_path, target, said):
    def away(server, handler, body, start):
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()

    server.faults = [away] * 20
    assert said in refusal(fetch())
    assert not fetched(tmp_path).exists()


KILL = """
import os, signal
import semveil.zoo.fetch as fetch
fetch._discard = lambda waiting: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_fetch_left_is_gone_after_the_next_one(fetch, tmp_path):
    cache = tmp_path / "cache" / "semveil" / "zoo"
    result = fetch(before=QUICK + KILL)
    assert result.code == -9
    assert (cache / ".arriving" / NAME).exists()
    succeed(fetch())
    assert [path.name for path in cache.iterdir()] == ["digits"]


def test_a_part_that_a_killed_fetch_left_is_not_in_the_way(fetch, server, packed, tmp_path):
    server.faults = [None, altered, altered, altered, altered]
    refusal(fetch())
    cache = tmp_path / "cache" / "semveil" / "zoo"
    (arriving,) = (cache / ".arriving").glob("*/*/*")
    (arriving / "records.jsonl.part").write_text("half of it")
    (arriving / "records.jsonl").write_bytes((packed / NAME / "records.jsonl").read_bytes())
    server.faults = []
    succeed(fetch())
    assert content(cache) == {
        f"{NAME}/{file}": (packed / NAME / file).read_bytes() for file in FILES
    }
    assert [path.name for path in cache.iterdir()] == ["digits"]


def test_what_arrived_of_an_entry_that_is_not_published_any_more_is_removed(
    fetch, server, zoo, tmp_path
):
    server.faults = [None, altered, altered, altered, altered]
    refusal(fetch())
    index = json.loads((zoo / "index.json").read_text())["entries"]
    index = {"digits/other": index[NAME]}
    (zoo / "index.json").write_text(json.dumps({"entries": index}))
    refusal(fetch("digits/other"))
    waiting = tmp_path / "cache" / "semveil" / "zoo" / ".arriving" / "digits"
    assert [path.name for path in waiting.iterdir()] == ["other"]


# Waits before the folder in which an entry arrives is locked, until the other fetch is over.
LATE = """
import time
import semveil.files as files
take, waited = files._take, []
def late(path):
    if ".arriving" in str(path) and not waited:
        waited.append(path)
        open({signal!r}, "w").close()
        while os.path.exists({signal!r}):
            time.sleep(0.01)
    return take(path)
files._take = late
"""


def test_a_fetch_that_waits_for_another_takes_what_that_one_fetched(
    semveil, fetch, server, zoo, tmp_path
):
    signal = tmp_path / "waits"
    environment = {
        "SEMVEIL_ZOO": str(zoo),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "SEMVEIL_ZOO_URL": server.url,
    }
    late = semveil.start(
        *("zoo", "fetch", "--quiet", NAME),
        folder=tmp_path,
        environment=environment,
        before=QUICK + LATE.format(signal=str(signal)),
    )
    eventually(signal.exists, "the second fetch waits")
    succeed(fetch())
    signal.unlink()
    succeed(late.wait())
    assert len(server.requests) == len(FILES)
    cache = tmp_path / "cache" / "semveil" / "zoo"
    assert [path.name for path in cache.iterdir()] == ["digits"]


def test_a_damaged_entry_that_would_hide_the_fetched_one_is_told(command, server, zoo, tmp_path):
    (zoo / NAME / "model.safetensors").unlink()
    line = refusal(command("fetch", NAME, "--from", server.url))
    assert line.startswith(f"{zoo / NAME} is damaged, and would hide what is fetched: remove or")
    assert server.requests == []
    assert not (tmp_path / "cache").exists()


def test_a_file_or_a_link_in_the_way_is_told_and_left(fetch, server, tmp_path):
    here = fetched(tmp_path)
    here.parent.mkdir(parents=True)
    behind = tmp_path / "behind"
    behind.mkdir()
    (behind / "mine").write_text("mine")

    def a_file():
        here.write_text("hi")

    def a_link():
        here.symlink_to(behind)

    def a_dangling_link():
        here.symlink_to(tmp_path / "none")

    for put in (a_file, a_link, a_dangling_link):
        put()
        line = refusal(fetch())
        assert line == f"{here} is a file or a link where a folder belongs: remove it"
        assert [path.name for path in here.parent.iterdir()] == [here.name]
        here.unlink()
    assert content(behind) == {"mine": b"mine"}
    assert server.requests == []
    # An earlier version left such a file; a link is not followed.
    kept = here.with_name(f".{here.name}.kept")
    kept.symlink_to(behind)
    succeed(fetch())
    succeed(fetch())
    assert [path.name for path in here.parent.iterdir()] == [here.name]
    assert content(behind) == {"mine": b"mine"}
