"""Memory that is free, and settings that need more of it. Knows no torch."""

from __future__ import annotations

from pathlib import Path

from semveil.errors import SemveilError

_MEMINFO = Path("/proc/meminfo")
# Limit and use of a container, by version of control groups.
_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def free_bytes() -> int | None:
    """Return the main memory that is free for this process, bytes; None on systems but Linux.

    Example:
        >>> (free_bytes() or 1) > 0
        True
    """
    if not _MEMINFO.exists():
        return None
    words = _MEMINFO.read_text().partition("MemAvailable:")[2].split()
    free = 1024 * int(words[0])
    for limit, used in _LIMITS:
        try:
            free = min(free, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):
            # There is no such limit.
            continue
    return max(free, 0)


def require_memory(needed: int, what: str, remedy: str, free: int | None) -> None:
    """Refuse what needs more memory than is free, before it is allocated.

    Args:
        needed: Bytes that it takes at least.
        what: What takes them.
        remedy: What the user can do.
        free: Bytes that are free; no limit if None.

    Raises:
        SemveilError: If they are too few.

    Example:
        >>> require_memory(3 << 30, "images", "make them smaller", 1 << 30)
        Traceback (most recent call last):
        semveil.errors.SemveilError: images take 3.2 GB or more, 1.1 GB are free: make them smaller
    """
    if free is not None and needed > free:
        raise SemveilError(
            f"{what} take {needed / 1e9:.1f} GB or more, {free / 1e9:.1f} GB are free: {remedy}"
        )
