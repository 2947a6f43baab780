"""Files and folders that are written whole or not at all, and locks on folders."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO

from semveil.errors import SemveilError

_SCRAP = ".part"
_LOCK = ".lock"
_KEPT = ".kept"
_PREFIX = "semveil-"
# What a killed command has started ends within a moment of it.
_PATIENCE_S = 2.0


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace a file atomically, safely against a crash or a full disk.

    The content is written to a temporary file beside the target, flushed to the disk and renamed
    over it; on failure the old file stays and the temporary one is removed. The file's
    permissions follow the umask.

    Raises:
        SemveilError: If the file cannot be written, or a text is no Unicode.
    """
    with replaced_files({path: content}):
        pass


@contextmanager
def replaced_files(contents: Mapping[Path, bytes | str]) -> Iterator[None]:
    """Write files beside their targets, and rename them over these after the block.

    Whatever fails before, a full disk or the block, leaves all old files as they were. They are
    renamed in their order.

    Args:
        contents: Contents by path, all in one folder.

    Raises:
        SemveilError: If one cannot be written, or a text is no Unicode.
    """
    scraps = {path: _scrap(path) for path in contents}
    at = next(iter(contents))
    try:
        for at, content in contents.items():
            _write(scraps[at], content)
        yield
        for at, scrap in scraps.items():
            os.replace(scrap, at)
        _flush(at.parent)
    except OSError as error:
        raise SemveilError(f"cannot write {at}: {error.strerror or error}") from error
    finally:
        for scrap in scraps.values():
            with suppress(OSError):
                scrap.unlink(missing_ok=True)


def refuse_existing(*paths: Path) -> None:
    """Refuse to write where something is."""
    for path in paths:
        if os.path.lexists(path):
            raise SemveilError(f"{path} exists already: name another, or remove it")


@contextmanager
def new_files(*paths: Path) -> Iterator[list[BinaryIO]]:
    """Open new files for writing that appear under their names together, when all are complete.

    They appear in their order, so that the last one is there only if all are. On failure none of
    them is left.

    Raises:
        SemveilError: If one exists, or cannot be written.
    """
    refuse_existing(*paths)
    scraps = [_scrap(path) for path in paths]
    try:
        with ExitStack() as stack:
            handles: list[BinaryIO] = []
            for scrap in scraps:
                made = os.open(scrap, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
                handles.append(stack.enter_context(os.fdopen(made, "w+b")))
            yield handles
            for handle in handles:
                handle.flush()
                os.fsync(handle.fileno())
        for path, scrap in zip(paths, scraps, strict=True):
            os.rename(scrap, path)
        _flush(paths[0].parent)
    except OSError as error:
        raise SemveilError(f"cannot write {paths[0]}: {error.strerror or error}") from error
    finally:
        for scrap in scraps:
            with suppress(OSError):
                scrap.unlink(missing_ok=True)


def _scrap(path: Path) -> Path:
    """Return a new name beside a path, for what is not whole yet."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SCRAP}")


def _is_scrap(name: str) -> bool:
    return name.startswith(".") and name.endswith(_SCRAP)


def _write(path: Path, content: bytes | str) -> None:
    try:
        data = content.encode() if isinstance(content, str) else content
    except UnicodeEncodeError as error:
        half = f"character {error.start + 1} of its text is half of a surrogate pair"
        raise OSError(errno.EILSEQ, half) from None
    # Not mkstemp, whose files nobody else may read, whatever the umask says.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_scraps(folder: Path) -> None:
    """Remove what killed processes left in a folder, except in folders that others hold."""
    try:
        for place, names, files in os.walk(folder):
            for name in filter(_is_scrap, files):
                Path(place, name).unlink(missing_ok=True)
            below = [(name, Path(place, name)) for name in names]
            names[:] = [name for name, path in below if _take_over(path, remove=_is_scrap(name))]
    except OSError as error:
        raise SemveilError(f"cannot remove {error.filename}: {error.strerror}") from error


def new_folder(path: Path, files: Mapping[str, bytes | str]) -> None:
    """Create a folder that holds some files, with its parents: all of it or nothing.

    Args:
        path: The folder, which must not exist.
        files: Contents by name; a name may have folders in it.

    Raises:
        SemveilError: If it exists, or cannot be written.
    """
    taken = SemveilError(f"output folder {path} exists already: name another, or resume it")
    if os.path.lexists(path):
        raise taken
    scrap, at = _scrap(path), path
    try:
        with _scrap_folder(scrap, path):
            for name, content in files.items():
                at = path / name
                (scrap / name).parent.mkdir(parents=True, exist_ok=True)
                _write(scrap / name, content)
            at = path
            os.rename(scrap, path)
            (path / _LOCK).unlink()
            _flush(path.parent)
    except OSError as error:
        if at != path:
            raise SemveilError(f"cannot write {at}: {error.strerror or error}") from error
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise taken from None
        raise SemveilError(f"cannot make output folder {path}: {error.strerror}") from error


def standing_folder(path: Path) -> Path:
    """Return where a folder is: elsewhere, if a process was killed while it replaced it."""
    kept = _kept(path)
    return kept if kept.exists() and not path.exists() else path


def original_path(path: Path) -> Path:
    """Return the folder that :func:`standing_folder` finds at a path."""
    name = path.name
    own = name.startswith(".") and name.endswith(_KEPT)
    return path.with_name(name[1 : -len(_KEPT)]) if own else path


@contextmanager
def replaced_folder(path: Path, files: Mapping[str, bytes | str]) -> Iterator[None]:
    """Put a new folder in place of an old one, if there is one, which returns if the block fails.

    At any moment :func:`standing_folder` is the old or the new one, complete.

    Args:
        path: The folder.
        files: Contents by name, as for :func:`new_folder`.

    Raises:
        SemveilError: If a file or a link is there, or it cannot be written.
    """
    require_replaceable(path)
    kept, scrap = _kept(path), _scrap(path)
    made = False
    try:
        if path.exists():
            _remove(kept)
            os.rename(path, kept)
        try:
            new_folder(path, files)
            made = True
            yield
        except BaseException:
            # Renamed before it is removed, lest half of it stands there.
            if made:
                os.rename(path, scrap)
            if kept.exists():
                os.rename(kept, path)
            shutil.rmtree(scrap, ignore_errors=True)
            raise
        with suppress(OSError):
            _remove(kept)
    except OSError as error:
        raise SemveilError(f"cannot replace {path}: {error.strerror or error}") from error


def require_replaceable(path: Path) -> None:
    """Refuse a file or a link where :func:`replaced_folder` is to put a folder."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise SemveilError(f"{path} is a file or a link where a folder belongs: remove it")


def _remove(path: Path) -> None:
    """Remove a folder, a file or a link, never what a link leads to, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _kept(path: Path) -> Path:
    """Return where a folder is kept while it is replaced."""
    return path.with_name(f".{path.name}{_KEPT}")


@contextmanager
def _scrap_folder(scrap: Path, path: Path) -> Iterator[None]:
    """Make a folder in which another is built; first remove those that killed processes left."""
    for other in path.parent.glob(f".{escape(path.name)}.*{_SCRAP}"):
        _remove_stale(other)
    scrap.mkdir(parents=True)
    try:
        with _marked(scrap):
            yield
    finally:
        shutil.rmtree(scrap, ignore_errors=True)


def unused_folder(wanted: Path) -> Path:
    """Return the first of FOLDER, FOLDER-2, FOLDER-3 and so on that does not exist."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a temporary folder, removed at the end; first remove those of killed processes."""
    for other in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _remove_stale(other)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _marked(Path(name)):
        yield Path(name)


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other processes from working in a folder, and remove what killed ones left there.

    Raises:
        SemveilError: If another process holds the folder; it is named.
    """
    with locked(folder):
        remove_scraps(folder)
        yield


@contextmanager
def locked(folder: Path, patience_s: float = _PATIENCE_S, *, make: bool = False) -> Iterator[None]:
    """Keep other processes from working in a folder.

    The kernel ends the lock together with the process. On a file system without locks there is
    none.

    Args:
        folder: The folder.
        patience_s: Seconds for which another process may go on holding it.
        make: Whether the folder is made with its parents, also while others remove them.

    Raises:
        SemveilError: If another process holds the folder; it is named.
    """
    path, deadline = folder / _LOCK, time.monotonic() + patience_s
    take = _take_in_made if make else _take
    try:
        while (handle := take(path)) is None:
            if time.monotonic() > deadline:
                raise SemveilError(
                    f"{folder} is in use by {_holder(path)}: wait until it has finished"
                )
            time.sleep(0.05)
    except OSError as error:
        raise SemveilError(f"cannot lock {path}: {error.strerror}") from error
    try:
        yield
    finally:
        # While it is still locked: afterwards it could be another's.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def _marked(folder: Path) -> Iterator[None]:
    """Let :func:`_remove_stale` see that a folder is in use."""
    # Locked before it has its name, so that nobody finds it there unlocked.
    early = folder / f"{_LOCK}{_SCRAP}"
    handle = _take(early)
    try:
        os.rename(early, folder / _LOCK)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _take(path: Path) -> int | None:
    """Open and lock a file, and write into it who did; None if another process holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    if not _lock(handle, path, without=True):
        os.close(handle)
        return None
    since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    # A disk may be full; the lock is no worse for that.
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node()} since {since}".encode())
    return handle


def _take_in_made(path: Path) -> int | None:
    """Make the folder of a lock and take it; None if others hold it, or have just removed it."""
    with suppress(FileNotFoundError):
        path.parent.mkdir(parents=True, exist_ok=True)
        return _take(path)
    return None


def _lock(handle: int, path: Path, *, without: bool) -> bool:
    """Lock an open file; return the given answer on a file system without locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without
    try:
        # Its last holder may have removed it since it was opened.
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        return " ".join(path.read_text(errors="replace")[:200].split()) or "another process"
    except OSError:
        return "another process"


def _take_over(folder: Path, *, remove: bool = False) -> bool:
    """Remove the lock that a killed process left in a folder, or all of the folder.

    Returns:
        Whether nobody holds it.
    """
    path = folder / _LOCK
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not _lock(handle, path, without=False):
            return False
        if remove:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            path.unlink()
        return True
    finally:
        os.close(handle)


def _remove_stale(folder: Path) -> None:
    """Remove a folder of ours that was being made, or was temporary, when its process ended."""
    # Others may put anything into a folder of temporary files, links too.
    with suppress(OSError):
        about = folder.lstat()
        if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid():
            _take_over(folder, remove=True)
