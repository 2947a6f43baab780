"""Choice of the device, and properties of its hardware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from semveil.errors import SemveilError
from semveil.memory import free_bytes


def pick_device(wanted: str) -> torch.device:
    """Return the device a user asked for.

    Args:
        wanted: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Raises:
        SemveilError: If CUDA is asked for and there is none.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise SemveilError("--device cuda: torch sees no CUDA device")
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
    """Return whether the hardware computes in bfloat16 (elsewhere it is slower than float32).

    Example:
        >>> isinstance(native_bfloat16(torch.device("cpu")), bool)
        True
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def channels_last(network: nn.Module) -> nn.Module:
    """Convert a network to channels_last memory format, in place; faster on CPU and CUDA.

    Example:
        >>> network = channels_last(nn.Conv2d(4, 4, 3))
        >>> network.weight.is_contiguous(memory_format=torch.channels_last)
        True
    """
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def one_thread() -> Iterator[None]:
    """Restrict torch to one thread within the block.

    For timing many small operations: several threads that share their cores with other processes
    mostly wait for each other.

    Example:
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
