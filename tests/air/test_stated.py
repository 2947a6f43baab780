"""Metadata of any content gives a recording or one line."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semveil.air.commands import source_of
from semveil.errors import SemveilError
from semveil.recording import Annotation, open_recording, write_recording

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    base = tmp_path_factory.mktemp("stated") / "capture"
    fields = {"semveil:version": 1, "semveil:link": "00" * 8}
    fields["semveil:format"] = {"sample_rate": 1e6, "subcarriers": 64, "carrier": "ofdm"}
    pieces = [Annotation(5, 10, "frame", {"semveil:counter": 3})]
    return write_recording(
        base, [np.ones(50, np.complex64)], 1e6, annotations=pieces, fields=fields
    )


def places(found, path=()):
    """Return the paths of all values in nested lists and objects."""
    yield path
    if isinstance(found, dict | list):
        for key in found if isinstance(found, dict) else range(len(found)):
            yield from places(found[key], (*path, key))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_value_in_any_place(written, tmp_path, data):
    meta = json.loads(written.with_suffix(".sigmf-meta").read_text())
    path = data.draw(st.sampled_from([path for path in places(meta) if path]))
    inner = changed = copy.deepcopy(meta)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(VALUES)
    (tmp_path / "other.sigmf-meta").write_text(json.dumps(changed))
    samples = written.with_suffix(".sigmf-data").read_bytes()
    (tmp_path / "other.sigmf-data").write_bytes(samples)
    line, count = "", 50
    try:
        count = open_recording(tmp_path / "other").count
        source_of(tmp_path / "other", {})
    except SemveilError as error:
        line = str(error)
    assert count == 50
    assert "\n" not in line
