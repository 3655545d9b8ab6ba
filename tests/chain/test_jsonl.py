"""What jsonl promises, seen through the public names of its layer (chain)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.sample import every_type, realistic, without_data
from tests.values.strategies import TEXTS, items
from theater.chain import jsonl
from theater.chain.event import ZERO_HASH, Event, make_event
from theater.chain.verify import verify
from theater.errors import CodecError
from theater.limits import EVENT_DATA_BYTES_MAX, EVENT_LINE_BYTES_MAX
from theater.values.cbor import encode

U64 = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize("events", [every_type(), realistic(), []], ids=["all", "many", "none"])
def test_a_chain_comes_back_the_same_and_verifies(events: list[Event]) -> None:
    lines = list(jsonl.write(events))
    again = list(jsonl.read(lines))
    assert again == events
    assert verify(again) == verify(events)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)


def test_a_chain_with_redacted_events_comes_back_the_same_and_verifies() -> None:
    events = without_data(every_type(), [0, 1, 2, 4, 8])
    again = list(jsonl.read(jsonl.write(events)))
    assert again == events
    report = verify(again)
    assert (report.problem, report.digest_only) == (None, 5)


@given(U64, U64, st.binary(min_size=32, max_size=32), TEXTS, items)
def test_every_event_comes_back_the_same(
    seq: int, at: int, parent: bytes, type_: str, item: object
) -> None:
    event = make_event(seq, at, parent, type_, encode({"item": item}))
    assert jsonl.read_line(jsonl.line(event)) == event


def test_a_line_has_the_fields_of_the_format() -> None:
    event = make_event(
        1, 1_700_000_000_123_456, b"p" * 32, "actor-x", encode({"a": b"\xff", "b": 2**60})
    )
    assert json.loads(jsonl.line(event)) == {
        "hash": event.hash.hex(),
        "parent_hash": (b"p" * 32).hex(),
        "event_type": "actor-x",
        "data": {"a": {"$bytes": "/w=="}, "b": "1152921504606846976"},
        "seq": 1,
        "at": 1_700_000_000_123_456,
        "time": "2023-11-14T22:13:20.123456Z",
        "data_digest": event.data_digest.hex(),
        "data_cbor": "omFhQf9hYhsQAAAAAAAAAA==",
    }
    first = json.loads(jsonl.line(make_event(0, 0, ZERO_HASH, "actor-x", encode({}))))
    assert first["parent_hash"] is None
    assert first["time"] == "1970-01-01T00:00:00.000000Z"


def test_the_order_of_fields_and_the_spaces_of_a_line_are_free() -> None:
    for event in every_type():
        fields = json.loads(jsonl.line(event))
        shuffled = json.dumps(dict(reversed(fields.items())), indent=1, ensure_ascii=True)
        assert jsonl.read_line(shuffled.encode()) == event


EVENT = every_type()[3]
FIELDS: dict[str, Any] = json.loads(jsonl.line(EVENT))


def _data(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    data = json.loads(json.dumps(FIELDS["data"]))
    change(data)
    return {"data": data}


CHANGED: dict[str, dict[str, Any]] = {
    "data is another": _data(lambda data: data.update(input=["another line", 3])),
    "data lacks a field": _data(lambda data: data.pop("output")),
    "data has one more field": _data(lambda data: data.update(more=1)),
    "a number in data is a float": _data(lambda data: data["input"].__setitem__(1, 3.0)),
    "a number in data is a text": _data(lambda data: data["input"].__setitem__(1, "3")),
    "bytes in data are others": _data(lambda data: data["output"].update(ok={"$bytes": "AP4="})),
    "data is hidden": {"data": None},
    "data_cbor is hidden": {"data_cbor": None},
    "data_cbor is another": {"data_cbor": "oA=="},
    "data_cbor has spaces": {"data_cbor": FIELDS["data_cbor"][:4] + "\n" + FIELDS["data_cbor"][4:]},
    "data_cbor has no padding": {"data_cbor": "oA"},
    "data_cbor has stray bits": {"data_cbor": "oB=="},
    "data_cbor is not deterministic": {"data_cbor": "v/8=", "data": {}},
    "data_cbor is a list": {"data_cbor": []},
    "time is another": {"time": "2023-11-14T22:13:20.000022Z"},
    "time has another form": {"time": FIELDS["time"].replace("Z", "+00:00")},
    "time is hidden": {"time": None},
    "seq is a float": {"seq": 3.0},
    "seq is a bool": {"seq": True},
    "seq is below nothing": {"seq": -1},
    "seq is above 64 bits": {"seq": 2**64},
    "seq is a text": {"seq": "3"},
    "at is a bool": {"at": True},
    "at is above 64 bits": {"at": 2**64},
    "hash is short": {"hash": "00"},
    "hash is in capitals": {"hash": FIELDS["hash"].upper()},
    "hash has spaces": {"hash": " " + FIELDS["hash"][1:]},
    "hash is null": {"hash": None},
    "data_digest is null": {"data_digest": None},
    "parent is written as zeros": {"parent_hash": "00" * 32},
    "parent is a number": {"parent_hash": 0},
    "type is null": {"event_type": None},
    "type has a lone surrogate": {"event_type": "\ud800"},
    "one more field": {"more": 1},
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_a_line_is_refused_if(change: dict[str, Any]) -> None:
    written = json.dumps({**FIELDS, **change}).encode()
    with pytest.raises(CodecError):
        jsonl.read_line(written)


@pytest.mark.parametrize("name", FIELDS)
def test_a_line_without_a_field_is_refused(name: str) -> None:
    written = json.dumps({key: value for key, value in FIELDS.items() if key != name}).encode()
    with pytest.raises(CodecError):
        jsonl.read_line(written)


GOOD = jsonl.line(EVENT)


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\n",
        b"null",
        b"[]",
        GOOD[:-3],
        GOOD + GOOD,
        GOOD.replace(b'"seq":3', b'"seq":4,"seq":3'),
        GOOD.replace(b'"output":', b'"output":1,"output":'),
        GOOD.replace(b'"seq":3', b'"seq":NaN'),
        GOOD.replace(b'"seq":3', b'"seq":' + b"9" * 5000),
        GOOD.replace(b"store", b"st\xffre"),
        b'{"data":' + b"[" * 200_000,
        GOOD[:-2] + b" " * EVENT_LINE_BYTES_MAX + b"}\n",
    ],
    ids=range(13),
)
def test_what_is_no_line_is_refused(written: bytes) -> None:
    with pytest.raises(CodecError):
        jsonl.read_line(written)


def test_a_refusal_names_the_line() -> None:
    lines = list(jsonl.write(every_type()))
    lines[4] = lines[4][:-9] + b"\n"
    with pytest.raises(CodecError) as refused:
        list(jsonl.read(lines))
    assert refused.value.facts["line"] == 5


@pytest.mark.parametrize("piece", [b"\x40", b"\x61\x01", b"\xf9\x00\x01", b"\x80", b"\xf9\x7e\x00"])
def test_the_longest_view_there_is_fits_a_line(piece: bytes) -> None:
    count = (EVENT_DATA_BYTES_MAX - 16) // len(piece)
    data = b"\xa1\x61a\x99" + count.to_bytes(2, "big") + piece * count
    if count > 0xFFFF:
        raise AssertionError("more items than the head can say")
    event = make_event(0, 0, ZERO_HASH, "x", data)
    line = jsonl.line(event)
    assert len(line) <= EVENT_LINE_BYTES_MAX
    assert jsonl.read_line(line) == event


@pytest.mark.parametrize(
    ("at", "time"),
    [
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (253_402_300_800_000_000, "10000-01-01T00:00:00.000000Z"),
        (2**64 - 1, "586524-01-19T08:01:49.551615Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (4_107_542_400_000_001, "2100-03-01T00:00:00.000001Z"),
    ],
)
def test_every_time_has_a_text(at: int, time: str) -> None:
    assert jsonl.rfc3339(at) == time


@given(TEXTS, TEXTS, TEXTS, U64)
def test_the_meta_file_comes_back_the_same(actor: str, name: str, path: str, started: int) -> None:
    meta = jsonl.Meta(actor, name, path, started)
    written = jsonl.write_meta(meta)
    assert jsonl.read_meta(written) == meta
    assert json.loads(written) == {
        "actor_id": actor,
        "actor_name": name,
        "manifest_path": path,
        "started_at": started,
    }


@pytest.mark.parametrize(
    "change",
    [{"more": 1}, {"actor_id": 1}, {"started_at": 1.0}, {"started_at": None}, {"actor_name": None}],
)
def test_a_meta_file_of_another_form_is_refused(change: dict[str, Any]) -> None:
    fields = json.loads(jsonl.write_meta(jsonl.Meta("a", "b", "c", 1)))
    with pytest.raises(CodecError):
        jsonl.read_meta(json.dumps({**fields, **change}).encode())
    with pytest.raises(CodecError):
        jsonl.read_meta(b"{}")
