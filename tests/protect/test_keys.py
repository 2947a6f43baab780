"""Keys and their agreement, against RFC 7748 and an HKDF written out from RFC 5869."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from semveil.errors import SemveilError
from semveil.protect.agreement import Agreement, KeyPair, agree, fresh_nonce
from semveil.protect.keys import require_key, research_key, subkey
from semveil.protect.session import Session

# RFC 7748, section 6.1.
ALICE = KeyPair(
    bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
)
BOB = KeyPair(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")

HERS, HIS = bytes(range(16)), bytes(range(20, 40))


def _sha(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _hkdf(salt: bytes, secret: bytes, info: bytes) -> bytes:
    # RFC 5869: extract, then the first 32 bytes of expand.
    return _sha(_sha(salt, secret), info + b"\x01")


def test_public_keys_are_those_of_the_rfc() -> None:
    assert ALICE.public.hex().startswith("8520f0098930a754748b7ddcb43ef75a")
    assert BOB.public.hex().startswith("de9edb7d7b7dc1b4d35b61c2ece43537")


def _both(
    hers: bytes = HERS, his: bytes = HIS, alice: KeyPair = ALICE, bob: KeyPair = BOB
) -> tuple[Agreement, Agreement]:
    return agree(alice, bob.public, hers, his), agree(bob, alice.public, his, hers)


def _opened(ours: Agreement, theirs: Agreement) -> tuple[Session, Session]:
    return ours.confirm(theirs.confirmation), theirs.confirm(ours.confirmation)


def test_keys_are_hkdf_of_the_rfcs_shared_secret() -> None:
    session, _ = _opened(*_both())
    # Alice's public key is the smaller one.
    salt = b"\0\0\0\x10" + HERS + b"\0\0\0\x14" + HIS
    info = b"semveil v1 key " + ALICE.public + BOB.public
    assert session.sender.key == _hkdf(salt, SHARED, info)
    info = b"semveil v1 key " + BOB.public + ALICE.public
    assert session.receiver.key == _hkdf(salt, SHARED, info)


def test_both_parties_hold_the_same_keys_one_per_direction() -> None:
    ours, theirs = _both(alice=KeyPair.generate(), bob=KeyPair.generate())
    at_alice, at_bob = _opened(ours, theirs)
    assert at_alice.sender.key == at_bob.receiver.key
    assert at_bob.sender.key == at_alice.receiver.key
    assert at_alice.sender.key != at_bob.sender.key
    assert ours.confirmation != theirs.confirmation


def test_every_new_nonce_of_either_party_gives_new_keys() -> None:
    pairs = [
        _both(),
        _both(hers=fresh_nonce()),
        _both(his=fresh_nonce()),
        # The same bytes, parted elsewhere or exchanged.
        _both(HERS + HIS[:4], HIS[4:]),
        _both(HIS, HERS),
    ]
    keys = {session.sender.key for pair in pairs for session in _opened(*pair)}
    assert len(keys) == 2 * len(pairs)


def test_what_alice_once_sent_opens_no_second_session_at_bob() -> None:
    ours, theirs = _both()
    recorded = ours.confirmation
    first = theirs.confirm(recorded)
    # Mallory hands Bob Alice's old nonce and confirmation; his own nonce is new.
    again = agree(BOB, ALICE.public, fresh_nonce(), HERS)
    with pytest.raises(SemveilError, match="different keys"):
        again.confirm(recorded)
    # Nor does a second confirmation within the session begin it anew.
    with pytest.raises(SemveilError, match="has opened its session"):
        theirs.confirm(recorded)
    # Had he used his nonce again, the old key would be back: it is what the replay fails by.
    careless = agree(BOB, ALICE.public, HIS, HERS).confirm(recorded)
    assert careless.sender.key == first.sender.key


def test_another_nonce_does_not_confirm() -> None:
    ours = agree(ALICE, BOB.public, HERS, HIS)
    for hers, his in ((fresh_nonce(), HIS), (HERS, fresh_nonce())):
        with pytest.raises(SemveilError, match="different keys"):
            ours.confirm(agree(BOB, ALICE.public, his, hers).confirmation)


def test_a_refused_confirmation_leaves_the_session_to_be_opened() -> None:
    ours, theirs = _both()
    stranger = agree(KeyPair.generate(), ALICE.public, HIS, HERS)
    for tag in (stranger.confirmation, ours.confirmation, b"", bytes(16)):
        with pytest.raises(SemveilError, match="different keys"):
            ours.confirm(tag)
    _opened(ours, theirs)


@pytest.mark.parametrize(
    ("theirs", "nonces", "what"),
    [
        (ALICE.public, (HERS, HIS), "key is one's own: it was reflected"),
        (b"short", (HERS, HIS), "32 bytes, not 5"),
        # The point of order one: the "shared" secret would be zero.
        (bytes(32), (HERS, HIS), "not a valid"),
        (BOB.public, (HERS[:15], HIS), "one's own nonce has 15 bytes, not 16"),
        (BOB.public, (HERS, b""), "the other party's nonce has 0 bytes, not 16"),
        (BOB.public, (HERS, HERS), "nonce is one's own: it was reflected"),
    ],
)
def test_bad_agreements_are_refused(theirs: bytes, nonces: tuple[bytes, bytes], what: str) -> None:
    with pytest.raises(SemveilError, match=what):
        agree(ALICE, theirs, *nonces)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), "0" * 32, bytearray(32)])
def test_keys_of_another_length_are_refused(key: bytes) -> None:
    for use in (require_key, subkey, KeyPair):
        with pytest.raises(SemveilError, match="32 bytes"):
            use(key)


def test_secrets_are_not_shown() -> None:
    agreement, other = _both()
    session, _ = _opened(agreement, other)
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
