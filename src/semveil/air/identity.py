"""What a header says of a link: a digest of 8 bytes; and reading of its key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.protect.keys import KEY_BYTES
from semveil.reading import read_regular


def link_digest(link: Link) -> bytes:
    """Return 8 bytes that tell trained links apart: of name, images, classes and all weights."""
    digest = hashlib.sha256(repr((link.name.label, link.image_shape, link.classes)).encode())
    for part in (link.network, link.layer):
        weights = part.state_dict() if isinstance(part, torch.nn.Module) else {}
        for name, tensor in sorted(weights.items()):
            values = tensor.detach().cpu().contiguous()
            digest.update(repr((name, list(values.shape))).encode())
            digest.update(values.double().numpy().tobytes())
    return digest.digest()[:8]


def read_key(path: Path) -> bytes:
    """Return the key in a file: 32 bytes, or 64 hexadecimal digits.

    Raises:
        SemveilError: If it cannot be read or holds something else.
    """
    try:
        found = read_regular(path, 4096)
    except OSError as error:
        raise SemveilError(f"cannot read the key {path}: {error.strerror or error}") from None
    if len(found) == KEY_BYTES:
        return found
    try:
        key = bytes.fromhex(found.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SemveilError(
            f"{path} holds no key: write {KEY_BYTES} random bytes into it, as in "
            f"`head -c {KEY_BYTES} /dev/urandom > {path.name}`"
        )
    return key
