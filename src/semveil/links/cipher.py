"""A link with a learned encryptor and decryptor that also works without them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semveil.channel import Channel
from semveil.link import Answer, Disturb, Exchange, LinkNetwork, to_waveform
from semveil.nets.keyed import KeyedMixer
from semveil.protect.keyed_transform import (
    KeyedTransform,
    decrypt_features,
    require_batch,
    require_unlike,
)
from semveil.protect.keys import subkey
from semveil.protect.keystream import keystream
from semveil.rng import Randomness, uniform


def _reals(symbols: Tensor) -> Tensor:
    return torch.view_as_real(symbols).flatten(1)


class CipherLink(LinkNetwork):
    """Encrypts the waveform with a network that takes a key, and decrypts with another."""

    resizable = True

    encrypts = True

    def __init__(
        self,
        encoder: nn.Module,
        classifier: nn.Module,
        channel: Channel,
        latent_dim: int,
        key_bits: int,
    ) -> None:
        super().__init__(encoder, classifier, None, channel)
        self.key_bits = key_bits
        self.encryptor = KeyedMixer(latent_dim, key_bits)
        self.decryptor = KeyedMixer(latent_dim, key_bits)

    def encrypt(self, waveform: Tensor, key: Tensor) -> Tensor:
        """Encrypt a waveform, complex ``[B, k]``, by keys of ±1, float ``[B, key_bits]``."""
        return to_waveform(self.encryptor(_reals(waveform), key))

    def decrypt(self, symbols: Tensor, key: Tensor) -> Tensor:
        """Decrypt equalised symbols, complex ``[B, k]``."""
        parts = self.decryptor(_reals(symbols), key).float()
        return torch.view_as_complex(parts.unflatten(1, (-1, 2)))

    def _keys(self, count: int, source: Randomness) -> Tensor:
        device = next(self.parameters()).device
        draws = uniform((count, self.key_bits), device=device, generator=source)
        return (draws < 0.5).float() * 2 - 1

    def radiate(self, images: Tensor, source: Randomness) -> Tensor:
        """Return the encrypted waveform, each image under a random key."""
        return self.encrypt(self.transmit(images), self._keys(len(images), source))

    def exchange(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        source: Randomness,
        disturb: Disturb | None = None,
    ) -> Exchange:
        """Send images encrypted, and once more without encryption."""
        plain = self.transmit(images)
        keys = self._keys(len(images), source)
        encrypted = self.encrypt(plain, keys)
        features = self.carry(encrypted, snr_db, source, disturb).features()
        answer = self._opened(features, keys)
        wrong = self._opened(features, self._keys(len(images), source))
        clear = self.decode(self.channel(plain, snr_db, generator=source).features())
        return Exchange(encrypted, answer, unprotected=clear, unkeyed=wrong)

    def _opened(self, features: Tensor, keys: Tensor) -> Answer:
        return self.decode(decrypt_features(features, lambda symbols: self.decrypt(symbols, keys)))


class LearnedTransform(KeyedTransform):
    """The trained encryptor and decryptor of a link; the session key gives each message its own."""

    name = "cipher"

    def __init__(self, link: CipherLink, key: bytes) -> None:
        self.link = link
        self._key = subkey(key, self.name)

    def _keys(self, symbols: Tensor, messages: Tensor) -> Tensor:
        require_batch(symbols, messages)
        octets = keystream(self._key, messages, -(-self.link.key_bits // 8))
        bits = (octets.unsqueeze(-1) >> torch.arange(8)) & 1
        signs = bits.flatten(1)[:, : self.link.key_bits].float() * 2 - 1
        return signs.to(symbols.device)

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Encrypt, complex ``[B, k]``; ``messages`` int64 ``[B]``, all different."""
        require_unlike(messages)
        return self.link.encrypt(waveform, self._keys(waveform, messages))

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Decrypt equalised symbols, complex ``[B, k]``."""
        return self.link.decrypt(symbols, self._keys(symbols, messages))
