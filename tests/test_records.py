"""Records: what is written is read again, and what cannot be told apart is refused."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.errors import SemveilError
from semveil.records import (
    FIELDS,
    Estimate,
    Record,
    SystemName,
    read_records,
    to_line,
    write_records,
)

SOURCES = Path(__file__).parents[1] / "src"
RECORD = Record(
    scheme="mobilesc",
    dataset="digits",
    channel="awgn/perfect",
    role="bob",
    metric="accuracy",
    value=0.5,
    n=10,
    seed=0,
)
# Half a surrogate pair is no text that a file in UTF-8 can hold.
words = st.text(st.characters(exclude_characters="(/+", exclude_categories=["Cs"]), min_size=1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
some_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
values = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.none(),
)
names = st.builds(
    SystemName,
    words,
    variant=st.none() | some_text,
    control=st.none() | some_text,
    training=st.none() | some_text,
    params=st.dictionaries(texts, values | st.lists(values), max_size=4),
)


def recorded(name: SystemName) -> Record:
    fields: dict[str, Any] = {"dataset": "digits", "channel": "none", "seed": 0}
    return Record.of(name, Estimate(0.5, 0.4, 0.6, 9), role="bob", metric="accuracy", **fields)


@settings(deadline=None)
@given(st.lists(names, max_size=4))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[SystemName]
) -> None:
    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    write_records(path, [recorded(name) for name in chosen])
    found = read_records(path)
    assert found == [recorded(name) for name in chosen]
    assert [record.system for record in found] == chosen


def test_a_line_has_every_field_in_order_and_no_number_that_json_lacks() -> None:
    plain = json.loads(to_line(replace(RECORD, value=math.inf, ci_low=math.nan)))
    assert tuple(plain) == FIELDS
    assert (plain["value"], plain["ci_low"], plain["params"]) == (None, None, None)


def test_an_interval_may_be_left_out() -> None:
    name = SystemName("dp", params={"epsilon": 0.1})
    record = Record.of(
        name,
        Estimate(3, 3, 3, 1),
        role="system",
        metric="parameters",
        interval=False,
        dataset="digits",
        channel="none",
        seed=0,
    )
    assert (record.value, record.ci_low, record.ci_high, record.n) == (3.0, None, None, 1)


def test_params_of_a_job_come_behind_those_of_the_system() -> None:
    record = recorded(SystemName("ibal", params={"protections": ["rotation"]}))
    assert record.with_params({"task": "Smiling"}).params == {
        "protections": ["rotation"],
        "task": "Smiling",
    }
    assert record.with_params({}) == record
    assert replace(record, params=None).with_params({}).params is None


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"scheme": "mobile\ud800"}, "scheme"),
        ({"target": "\udfff"}, "target"),
        ({"params": {"codec": ["jpeg", "\ud83d"]}}, "params"),
        ({"params": {"\udc00": 1}}, "params"),
    ],
)
def test_half_a_surrogate_pair_is_not_written_and_not_read(
    tmp_path: Path, fields: dict[str, Any], at: str
) -> None:
    path = tmp_path / "records.jsonl"
    write_records(path, [RECORD])
    before = path.read_bytes()
    with pytest.raises(SemveilError, match=rf"^{at}: character '\\ud\w+' is half of a surrogate"):
        write_records(path, [RECORD, replace(RECORD, **fields)])
    assert path.read_bytes() == before
    # As another program would write it.
    plain = json.loads(to_line(RECORD)) | fields
    path.write_text(json.dumps(plain).replace("\\ud", "\\uD") + "\n")
    with pytest.raises(SemveilError, match="line 1: not a record"):
        read_records(path)


def test_a_whole_surrogate_pair_is_text(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_records(path, [replace(RECORD, target="\U0001f600")])
    assert read_records(path)[0].target == "\U0001f600"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        (SystemName("ibal"), "ibal"),
        (SystemName("cooperative", control="noise"), "cooperative/noise"),
        (SystemName("cooperative", "x", "noise", "pgd"), "cooperative/noise (x, pgd)"),
        (SystemName("dp", params={"protections": ["a", "b"]}), "dp+a+b"),
        (
            SystemName("dp", params={"epsilon": 0.1, "on": True}),
            "dp (epsilon = 0.1, on)",
        ),
        (SystemName("dp", "x", params={"at": "d", "of": [1, 2]}), "dp (x, at = d, of = 1 2)"),
    ],
)
def test_labels(name: SystemName, label: str) -> None:
    assert name.label == label


@given(names, names)
def test_systems_that_differ_in_a_field_are_not_equal(one: SystemName, other: SystemName) -> None:
    assert (one == other) == (recorded(one) == recorded(other))


@pytest.mark.parametrize("scheme", ["mobilesc (latent)", "cooperative/noise", "ibal+rotation"])
def test_a_name_that_would_have_to_be_parsed_is_refused(scheme: str) -> None:
    with pytest.raises(SemveilError, match=re.escape(scheme)):
        SystemName(scheme)


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], object(), math.nan])
def test_params_are_plain(value: object) -> None:
    with pytest.raises(SemveilError, match=r"params\.key"):
        SystemName("ibal", params={"key": value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variant": ...}, "written by semveil of an earlier version"),
        ({"scheme": "mobilesc (latent)"}, "written by semveil of an earlier version"),
        ({"scheme": "cooperative/noise"}, "written by semveil of an earlier version"),
        ({"scheme": "ibal+rotation"}, "written by semveil of an earlier version"),
        ({"metric": "ssim_class_2", "image_class": ...}, "whose records have no image_class"),
        ({"image_class": 2.5}, "image_class is of the wrong type"),
        ({"scheme": 3}, "scheme is of the wrong type"),
        ({"training": 1}, "training is of the wrong type"),
        ({"params": [1]}, "params is of the wrong type"),
        ({"params": "epsilon"}, "params is of the wrong type"),
        ({"params": {"epsilon": {"value": 1}}}, r"params\.epsilon"),
        ({"params": {"list": [[1]]}}, r"params\.list"),
        ({"unknown": 1}, "not a record"),
        ({"value": ...}, "not a record"),
    ],
)
def test_other_lines_are_refused_with_their_number(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    plain = json.loads(to_line(RECORD)) | change
    lines = [to_line(RECORD), json.dumps({k: v for k, v in plain.items() if v is not ...})]
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SemveilError, match=rf"records\.jsonl, line 2: .*{words}") as caught:
        read_records(path)
    assert "\n" not in str(caught.value)


def test_records_are_made_in_one_place() -> None:
    made = re.compile(r"^(?!\s*(>>>|\.\.\.)).*\bRecord\(", re.MULTILINE)
    files = {path.name for path in SOURCES.rglob("*.py") if made.search(path.read_text())}
    assert files == {"records.py"}
