"""Keys and their agreement, against RFC 7748 and an HKDF written out from RFC 5869."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from semveil.errors import SemveilError
from semveil.protect.agreement import KeyPair, agree
from semveil.protect.keys import require_key, research_key, subkey

# RFC 7748, section 6.1.
ALICE = KeyPair(
    bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
)
BOB = KeyPair(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")


def _sha(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _hkdf(salt: bytes, secret: bytes, info: bytes) -> bytes:
    # RFC 5869: extract, then the first 32 bytes of expand.
    return _sha(_sha(salt, secret), info + b"\x01")


def test_public_keys_are_those_of_the_rfc() -> None:
    assert ALICE.public.hex().startswith("8520f0098930a754748b7ddcb43ef75a")
    assert BOB.public.hex().startswith("de9edb7d7b7dc1b4d35b61c2ece43537")


def test_keys_are_hkdf_of_the_rfcs_shared_secret() -> None:
    session = agree(ALICE, BOB.public, b"salt").confirm(
        agree(BOB, ALICE.public, b"salt").confirmation
    )
    info = b"semveil v1 key " + ALICE.public + BOB.public
    assert session.sender.key == _hkdf(b"salt", SHARED, info)
    info = b"semveil v1 key " + BOB.public + ALICE.public
    assert session.receiver.key == _hkdf(b"salt", SHARED, info)


def test_both_parties_hold_the_same_keys_one_per_direction() -> None:
    alice, bob = KeyPair.generate(), KeyPair.generate()
    ours, theirs = agree(alice, bob.public, b"1"), agree(bob, alice.public, b"1")
    at_alice, at_bob = ours.confirm(theirs.confirmation), theirs.confirm(ours.confirmation)
    assert at_alice.sender.key == at_bob.receiver.key
    assert at_bob.sender.key == at_alice.receiver.key
    assert at_alice.sender.key != at_bob.sender.key
    assert ours.confirmation != theirs.confirmation


def test_another_salt_gives_other_keys_and_does_not_confirm() -> None:
    first, second = (agree(ALICE, BOB.public, salt) for salt in (b"1", b"2"))
    assert first.confirmation != second.confirmation
    with pytest.raises(SemveilError, match="different keys"):
        first.confirm(agree(BOB, ALICE.public, b"2").confirmation)


def test_a_stranger_does_not_confirm() -> None:
    ours = agree(ALICE, BOB.public, b"1")
    stranger = agree(KeyPair.generate(), ALICE.public, b"1")
    for tag in (stranger.confirmation, ours.confirmation, b"", bytes(16)):
        with pytest.raises(SemveilError, match="different keys"):
            ours.confirm(tag)


@pytest.mark.parametrize(
    ("theirs", "salt", "what"),
    [
        (ALICE.public, b"1", "reflected"),
        (b"short", b"1", "32 bytes, not 5"),
        # The point of order one: the "shared" secret would be zero.
        (bytes(32), b"1", "not a valid"),
        (BOB.public, b"", "salt"),
    ],
)
def test_bad_agreements_are_refused(theirs: bytes, salt: bytes, what: str) -> None:
    with pytest.raises(SemveilError, match=what):
        agree(ALICE, theirs, salt)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), "0" * 32, bytearray(32)])
def test_keys_of_another_length_are_refused(key: bytes) -> None:
    for use in (require_key, subkey, KeyPair):
        with pytest.raises(SemveilError, match="32 bytes"):
            use(key)


def test_secrets_are_not_shown() -> None:
    agreement = agree(ALICE, BOB.public, b"1")
    session = agreement.confirm(agree(BOB, ALICE.public, b"1").confirmation)
    shown = repr((ALICE, agreement, session))
    for secret in (ALICE.private, session.sender.key, session.receiver.key):
        assert repr(secret)[2:-1] not in shown


def test_a_subkey_is_hkdf_expand_and_scopes_are_unambiguous() -> None:
    key = research_key(0)
    info = repr(("semveil", "shuffle", 1)).encode()
    assert subkey(key, "shuffle", 1) == _sha(key, info + b"\x01")
    scopes = [(), ("a",), ("a", "b"), ("ab",), ("a", 1), ("a", "1"), ("a, 'b'",), (1, "a")]
    assert len({subkey(key, *scope) for scope in scopes}) == len(scopes)


def test_research_keys_depend_on_seed_and_scope() -> None:
    made = [research_key(0), research_key(1), research_key(0, "a"), research_key(0, "a", 1)]
    assert len(set(made)) == len(made)
    assert research_key(3, "run") == research_key(3, "run")
