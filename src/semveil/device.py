"""Choice of the device, and properties of its hardware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from semveil.errors import SemveilError
from semveil.memory import free_bytes


def pick_device(wanted: str) -> torch.device:
    """Return the device a user asked for: ``auto`` is CUDA where there is one."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise SemveilError(f"device: expected auto, cpu or cuda, not {wanted!r}")
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise SemveilError("device cuda: torch sees no CUDA device")
    return torch.device("cuda" if wanted != "cpu" and available else "cpu")


def free_memory(device: torch.device) -> int | None:
    """Return the memory of a device that is free, bytes; None if that is not known.

    Example:
        >>> (free_memory(torch.device("cpu")) or 1) > 0
        True
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_bytes()


def native_bfloat16(device: torch.device) -> bool:
    """Return whether the hardware computes in bfloat16 (elsewhere it is slower than float32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a block whose operations autocast leaves in the precision of their tensors.

    Example:
        >>> row = torch.ones(1, 2)
        >>> with torch.autocast("cpu", torch.bfloat16), full_precision(row.device):
        ...     print((row @ row.T).dtype)
        torch.float32
    """
    # Tensors without memory know no autocast.
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def channels_last(network: nn.Module) -> nn.Module:
    """Convert a network to channels_last memory format, in place; faster on CPU and CUDA."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def one_thread() -> Iterator[None]:
    """Restrict torch to one thread within the block: threads that share cores mostly wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
