"""A protection: a keyed transform of the waveform, which composes with the project's schemes."""

import torch

from semveil.protect import PROTECTIONS, KeyedProtection
from semveil.protect.invariant import REAL_FACTOR, InvariantMaps
from semveil.protect.keyed_transform import as_reals, as_symbols, require_batch, require_unlike
from semveil.protect.keys import subkey
from semveil.protect.keystream import keystream


@PROTECTIONS.register
class Signs(KeyedProtection):
    """Gives every real of the waveform a sign that key and message counter decide."""

    name = "signs"
    description = "a keyed sign for every real of the waveform, fresh for every message"
    source = "example of the documentation"
    keeps_norms = True
    # A real factor for each real commutes with signs, and so needs no key.
    invariant_maps = InvariantMaps(
        "real factors",
        lambda symbols: symbols,
        lambda factors, waveform: as_symbols(as_reals(factors) * as_reals(waveform)),
        includes=(REAL_FACTOR,),
    )

    def __init__(self, key):
        self._key = subkey(key, self.name)

    def encrypt(self, waveform, messages):
        """Change signs; complex ``[B, k]``, counters int64 ``[B]``."""
        require_unlike(messages)
        return self.decrypt(waveform, messages)

    def decrypt(self, symbols, messages):
        """Change them back."""
        require_batch(symbols, messages)
        reals = as_reals(symbols)
        octets = keystream(self._key, messages, -(-reals.shape[1] // 8))
        bits = (octets.unsqueeze(-1) >> torch.arange(8)) & 1
        signs = 1 - 2 * bits.flatten(1)[:, : reals.shape[1]]
        return as_symbols(reals * signs.to(reals))
