"""A change of one setting changes that one alone, in every recipe."""

from __future__ import annotations

import copy

import pytest

from semveil import recipe


def leaves(plain, place=()):
    """Return the values of nested sections by their paths."""
    found = {}
    for key, value in plain.items():
        inner = leaves(value, (*place, key)) if isinstance(value, dict) else {(*place, key): value}
        found |= inner
    return found


KEYS = recipe.keys()


@pytest.mark.parametrize("name", recipe.names())
def test_each_key_changes_itself_alone(name):
    """In YAML, Bob's channel may be an alias of Eve's: one dictionary under two names."""
    plain = recipe._read(name)
    before, untouched = leaves(plain), copy.deepcopy(plain)
    for key in KEYS:
        after = leaves(recipe._override(plain, {key: "changed"}))
        path = tuple(key.split("."))
        assert after == before | {path: "changed"}, key
    assert plain == untouched


def test_the_parties_channels_are_told_apart(tmp_path):
    (tmp_path / "mine.yaml").write_text("bob: &a {snr_db: 12, ofdm: {taps: 4}}\neve: *a\n")
    found = recipe.load(str(tmp_path / "mine.yaml"), ["eve.snr_db=-7", "bob.ofdm.taps=2"])
    assert (found.bob.snr_db, found.eve.snr_db) == (12, -7)
    assert (found.bob.ofdm.taps, found.eve.ofdm.taps) == (2, 4)
