"""Downloading one file whose digest is known: resumable, verified, atomic.

Not by pooch: it verifies and retries, but begins again at the first byte, keeps no partial file and
has no mirrors.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semveil.errors import SemveilError

ROUNDS = 4
PAUSE = 1.0  # seconds after the first round; doubles with every further one
CHUNK = 1 << 18

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Remote:
    """A file of a publisher, with its digest (``md5`` or ``sha256``)."""

    name: str
    size: int
    algorithm: str
    digest: str

    def is_at(self, path: Path) -> bool:
        """Return whether ``path`` is exactly this file."""
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as file:
                # The publisher's digest may be md5, which detects damage.
                found = hashlib.file_digest(
                    file, lambda: hashlib.new(self.algorithm, usedforsecurity=False)
                )
        except OSError:
            return False
        return found.hexdigest() == self.digest


class _FailedError(Exception):
    """One attempt failed; ``final`` if another attempt at this source is useless."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def download(
    file: Remote,
    folder: Path,
    sources: Sequence[str],
    *,
    timeout: float = 30.0,
    progress: Progress | None = None,
) -> Path:
    """Download a file into a folder, unless it is there already.

    The file is written to ``NAME.part`` and renamed once length and digest are right. An
    interrupted download leaves this part, and the next one continues it; a server that does not
    support ranges sends the whole file. The sources are tried in turn, several times, with growing
    pauses.
    """
    target, part = folder / file.name, folder / f"{file.name}.part"
    if file.is_at(target):
        return target
    failures: dict[str, str] = {}
    remaining = list(sources)
    try:
        with part.open("ab") as out:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for number in range(ROUNDS):
                if number and remaining:
                    time.sleep(PAUSE * 2 ** (number - 1))
                for source in tuple(remaining):
                    try:
                        _attempt(source + file.name, file, part, timeout, progress)
                    except _FailedError as failure:
                        failures[source] = str(failure)
                        if failure.final:
                            remaining.remove(source)
                    else:
                        os.fsync(out.fileno())
                        os.replace(part, target)
                        return target
            if not part.stat().st_size:
                part.unlink()
    except BlockingIOError:
        raise SemveilError(f"{part} is being downloaded by another process") from None
    except OSError as error:
        raise SemveilError(f"cannot write {part}: {error.strerror or error}") from error
    reasons = "; ".join(f"{source}: {reason}" for source, reason in failures.items())
    kept = "; run it again to continue from what has arrived" if part.exists() else ""
    raise SemveilError(f"cannot download {file.name} ({reasons}){kept}")


def _attempt(url: str, file: Remote, part: Path, timeout: float, progress: Progress | None) -> None:
    """Complete the part from one source and check it; on failure keep a usable part."""
    have = part.stat().st_size
    if have > file.size:
        os.truncate(part, 0)
        have = 0
    if have < file.size:
        _transfer(url, file, part, have, timeout, progress)
    if not file.is_at(part):
        os.truncate(part, 0)
        # The fault may be in an earlier part; then another attempt can succeed.
        raise _FailedError(f"{file.algorithm} differs from the published one", final=have == 0)


def _transfer(
    url: str, file: Remote, part: Path, have: int, timeout: float, progress: Progress | None
) -> None:
    headers = {"User-Agent": "semveil", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _open(url, headers, timeout) as response:
        if response.status == 206:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                raise _FailedError("the server sent another range than the one asked for")
        else:
            have = 0
        offered = response.headers.get("Content-Length")
        if offered is not None and offered != str(file.size - have):
            raise _FailedError(
                f"the server offers {offered} bytes, not {file.size - have}", final=True
            )
        os.truncate(part, have)
        with part.open("ab") as out:
            for chunk in _chunks(response, timeout):
                have += len(chunk)
                if have > file.size:
                    out.truncate(0)
                    raise _FailedError(f"the server sent more than {file.size} bytes", final=True)
                out.write(chunk)
                if progress is not None:
                    progress(file.name, have, file.size)
    if have < file.size:
        raise _FailedError(f"the connection ended after {have} of {file.size} bytes")


def _open(url: str, headers: Mapping[str, str], timeout: float) -> http.client.HTTPResponse:
    try:
        request = urllib.request.Request(url, headers=dict(headers))
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        # Only these errors are temporary.
        passing = error.code in (408, 425, 429) or error.code >= 500
        reason = " ".join(str(error.reason).split())
        raise _FailedError(f"HTTP {error.code} {reason}", final=not passing) from None
    except UnicodeError:
        # Of the address, or of one that the server redirects to.
        raise _FailedError(
            "an address with letters beyond ASCII, or with an overlong name in it; "
            "write such letters as %C3%A9",
            final=True,
        ) from None
    except (ValueError, http.client.InvalidURL) as error:
        raise _FailedError(f"not a valid address: {_reason(error, timeout)}", final=True) from None
    except (OSError, http.client.HTTPException) as error:
        raise _FailedError(_reason(error, timeout)) from None
    return response


def _chunks(response: http.client.HTTPResponse, timeout: float) -> Iterator[bytes]:
    """Yield the body in chunks; raise _FailedError where the network fails."""
    try:
        while chunk := response.read1(CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _FailedError(_reason(error, timeout)) from None


def _reason(error: Exception, timeout: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"nothing arrived for {timeout:g} s"
    stated = cause.strerror if isinstance(cause, OSError) else None
    return " ".join((stated or str(cause)).split()) or type(cause).__name__
