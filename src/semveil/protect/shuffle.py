"""Keyed permutation of the reals of a waveform.

A permutation hides neither the values nor their order statistics: the sorted waveform is the same
for every key. A fixed one hides nothing from an adversary who trains on shuffled waveforms with
labels. Both are implemented to be measured.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.protect.base import PROTECTIONS, KeyedProtection
from semveil.protect.invariant import VALUE_MAPS
from semveil.protect.keyed_transform import as_reals, as_symbols, require_batch, require_unlike
from semveil.protect.keys import subkey
from semveil.protect.keystream import words
from semveil.protect.permute import permutations


@PROTECTIONS.register
class Shuffle(KeyedProtection):
    """Permute the ``d = 2k`` real components.

    Source: "feature shuffling" by a key, as the encrypted baseline after Luo, Chen, Tao, Yang
    (arXiv 2209.09008) is described; the choice of the permutation is our reading. It mixes real
    and imaginary parts, so Bob has to remove the channel's phase before :meth:`decrypt`.

    Args:
        key: 32 secret bytes.
        fresh: A permutation for every message, or one for all.

    Raises:
        SemveilError: If the key has not 32 bytes.

    Example:
        >>> shuffle, messages = Shuffle(bytes(32)), torch.arange(2)
        >>> z = torch.tensor([[1 + 2j, 3 + 4j], [5 + 6j, 7 + 8j]])
        >>> sent = shuffle.encrypt(z, messages)
        >>> bool((sent == z).all()), bool((shuffle.decrypt(sent, messages) == z).all())
        (False, True)
    """

    name = "shuffle"
    description = "keyed permutation of the reals of the waveform, fresh for every message"
    source = "after Luo, Chen, Tao, Yang, arXiv 2209.09008"
    protects = "the image and the label, from receivers without the key"
    guarantee = "none: the sorted values leak, and one key for all messages is learned from pairs"
    permutes = True
    invariant_maps = VALUE_MAPS

    def __init__(self, key: bytes, fresh: bool = True) -> None:
        self.name = "shuffle" if fresh else "shuffle/fixed"
        self.fresh = fresh
        self._key = subkey(key, self.name)

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Permute; see :meth:`semveil.protect.keyed_transform.KeyedTransform.encrypt`."""
        order = self._order(waveform, messages)
        if self.fresh:
            require_unlike(messages)
        return as_symbols(as_reals(waveform).gather(1, order))

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Permute back; see :meth:`semveil.protect.keyed_transform.KeyedTransform.decrypt`."""
        order = self._order(symbols, messages)
        reals = as_reals(symbols)
        return as_symbols(torch.zeros_like(reals).scatter(1, order, reals))

    def _order(self, symbols: Tensor, messages: Tensor) -> Tensor:
        require_batch(symbols, messages)
        numbers = messages if self.fresh else messages.new_zeros(1)
        order = permutations(words(self._key, numbers, 2 * symbols.shape[1], bits=64))
        return order.to(symbols.device).expand(len(symbols), -1)
