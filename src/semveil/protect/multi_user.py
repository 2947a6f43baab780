"""One receiver and many devices: batches in which every message has its device's key."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semveil.protect.keyed_transform import KeyedTransform
from semveil.protect.keystream import require_counters


class MultiUserTransform:
    """The keyed transforms of many devices, at their common receiver.

    Messages of one device are decrypted together; the work grows with the number of different
    devices in a batch, not with the number of devices.

    Args:
        transforms: One per device, each under the key shared with it.

    Example:
        >>> from semveil.protect.keys import research_key
        >>> from semveil.protect.shuffle import Shuffle
        >>> mixed = MultiUserTransform([Shuffle(research_key(n)) for n in range(3)])
        >>> z, counters = torch.arange(8.0).reshape(2, 4) + 0j, torch.tensor([5, 6])
        >>> sent = mixed.transforms[2].encrypt(z, counters)
        >>> bool((mixed.decrypt(sent, counters, torch.tensor([2, 2])) == z).all())
        True
    """

    def __init__(self, transforms: Sequence[KeyedTransform]) -> None:
        self.transforms = transforms

    def decrypt(self, symbols: Tensor, messages: Tensor, devices: Tensor) -> Tensor:
        """Reverse the transforms of a batch.

        Args:
            symbols: Equalised symbols, complex ``[B, k]``.
            messages: Counters, each in its device's own count, int64 ``[B]``.
            devices: Sender of each, int64 ``[B]``, below the number of transforms.

        Returns:
            Symbols for Bob's decoder, complex ``[B, k]``.

        Raises:
            SemveilError: If counters are not int64.
            ValueError: If there is not one device for each message.
        """
        require_counters(messages)
        if devices.shape != messages.shape:
            raise ValueError(
                f"one device for each of {len(messages)} messages, not {list(devices.shape)}"
            )
        order = devices.argsort(stable=True)
        senders, counts = devices[order].unique_consecutive(return_counts=True)
        groups = order.split(counts.tolist())
        decrypted = [
            self.transforms[sender].decrypt(symbols[rows], messages[rows])
            for sender, rows in zip(senders.tolist(), groups, strict=True)
        ]
        return torch.cat(decrypted)[order.argsort()] if decrypted else symbols
