"""What every form of a chain file must do, with the bytes of strangers above all."""

from __future__ import annotations

import io
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.sample import Builder, every_type, realistic, state, without_data
from tests.values.strategies import items
from theater.chain import files, shapes
from theater.chain.event import Event, event_hash, make_event
from theater.chain.files import Form
from theater.chain.scanner import CUT
from theater.chain.verify import verify
from theater.errors import CodecError
from theater.limits import EVENT_DATA_BYTES_MAX, EVENT_LINE_BYTES_MAX
from theater.values.cbor import encode

FORMS = list(Form)
READ_AHEAD = 4 * EVENT_LINE_BYTES_MAX
U64 = st.integers(0, 2**64 - 2)


def small() -> list[Event]:
    """A short chain with what could lead a reader astray: bodies that look like blocks, and gaps."""
    chain = Builder()
    chain.start()
    chain.call(params=encode(["\n\nEVENT " + "0" * 64 + "\n0000000000000000\nwasm-call\n1\n\n"]))
    chain.host("theater:simple/store/put", encode({"ok": b"\x86\x00FROM 7\n"}))
    chain.host()
    chain.result(state(1))
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "operator", "secret", [3]))
    chain.note(shapes.ACTOR_PAUSE)
    return without_data(chain.events, [3])


def written(events: list[Event], form: Form) -> bytes:
    return b"".join(files.write(events, form))


def read(data: bytes) -> list[Event]:
    return list(files.read(io.BytesIO(data)))


def read_before(data: bytes) -> tuple[list[Event], CodecError | None]:
    """The events that can be read, and what stopped the reading."""
    found: list[Event] = []
    try:
        for event in files.read(io.BytesIO(data)):
            found.append(event)
    except CodecError as error:
        return found, error
    return found, None


def verifies(events: list[Event]) -> bool:
    """Whether somebody who trusts the head of `small` would take these events."""
    return verify(events, expected_head=small()[-1].hash).problem is None


class Trickle:
    """A source that gives one byte at a time, as a pipe may."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, 1))


class Endless:
    """A file that never ends after its first bytes; fails the test that reads too far."""

    def __init__(self, first: bytes, then: bytes) -> None:
        self._first = first
        self._then = then
        self._given = 0

    def read(self, size: int, /) -> bytes:
        self._given += size
        assert self._given < READ_AHEAD, "read further than any event can be long"
        taken, self._first = self._first[:size], self._first[size:]
        return taken or self._then * size


@pytest.fixture(params=FORMS, ids=[form.value for form in FORMS])
def form(request: pytest.FixtureRequest) -> Form:
    assert isinstance(request.param, Form)
    return request.param


@pytest.mark.parametrize(
    "events", [every_type(), realistic(), small(), []], ids=["all", "many", "small", "none"]
)
def test_a_chain_comes_back_the_same_and_verifies(form: Form, events: list[Event]) -> None:
    again = read(written(events, form))
    assert again == events
    assert verify(again) == verify(events)


def test_redacted_events_keep_their_digests_and_verify(form: Form) -> None:
    events = without_data(every_type(), [0, 1, 2, 4, 8])
    again = read(written(events, form))
    assert again == events
    report = verify(again, expected_head=events[-1].hash)
    assert (report.problem, report.digest_only) == (None, 5)


def test_a_part_of_a_chain_comes_back_with_its_numbers(form: Form) -> None:
    part = realistic()[7:12]
    assert read(written(part, form)) == part


def test_one_form_becomes_any_other_without_loss(form: Form) -> None:
    first = read(written(small(), form))
    for other in FORMS:
        assert read(written(first, other)) == small()


def test_a_file_can_come_a_byte_at_a_time(form: Form) -> None:
    assert list(files.read(Trickle(written(small(), form)))) == small()


def test_a_form_is_known_by_the_first_bytes(form: Form) -> None:
    assert files.form_of(written(small(), form)[:1]) is form
    assert files.form_of(written(realistic()[3:], form)[:9]) is form


@given(U64, U64, st.binary(min_size=32, max_size=32), st.text("a/b!-é:@", min_size=1), items)
def test_every_event_comes_back_the_same(
    seq: int, at: int, parent: bytes, type_: str, item: object
) -> None:
    event = make_event(seq, at, parent, type_[:100], encode({"item": item}))
    gone = msgspec.structs.replace(event, data=None)
    for form in FORMS:
        assert read(written([event], form)) == [event]
        assert read(written([gone], form)) == [gone]


def test_a_file_cut_off_anywhere_gives_the_events_before_and_says_where(form: Form) -> None:
    events = small()
    whole = written(events, form)
    ends = [0]
    for piece in files.write(events, form):
        ends.append(ends[-1] + len(piece))
    for cut in range(len(whole)):
        found, error = read_before(whole[:cut])
        complete = sum(end <= cut for end in ends[1:])
        if form is Form.JSONL and cut + 1 in ends:
            complete += 1  # only its line feed is missing
            assert error is None
        elif cut in ends:
            assert error is None
        else:
            assert error is not None
            assert error.code == CUT
            assert (error.facts["event"], error.facts["at"]) == (complete, cut)
        assert found == events[:complete]


@pytest.mark.slow
def test_a_changed_byte_anywhere_is_found_or_refused(form: Form) -> None:
    whole = written(small(), form)
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        found, error = read_before(bytes(changed))
        assert error is not None or not verifies(found), at


@pytest.mark.slow
def test_bytes_put_in_or_taken_out_anywhere_are_found_or_refused(form: Form) -> None:
    whole = written(small(), form)
    for at in range(len(whole)):
        for changed in (whole[:at] + whole[at + 1 :], whole[:at] + b"0" + whole[at:]):
            found, error = read_before(changed)
            if error is None and verifies(found):
                # A line feed at the end of JSON lines carries nothing.
                assert (form, at) == (Form.JSONL, len(whole) - 1)
                assert changed == whole[:-1]


@pytest.mark.parametrize("change", ["swapped", "doubled", "dropped"])
def test_events_in_a_wrong_order_do_not_verify(form: Form, change: str) -> None:
    events = realistic(3)
    pieces = list(files.write(events, form))
    match change:
        case "swapped":
            pieces[2], pieces[3] = pieces[3], pieces[2]
        case "doubled":
            pieces.insert(2, pieces[2])
        case _:
            del pieces[2]
    problem = verify(read(b"".join(pieces))).problem
    assert problem is not None
    assert problem.seq in (2, 3)


def test_an_empty_file_has_no_events() -> None:
    assert read(b"") == []


def test_what_only_looks_like_a_chain_is_refused_without_reading_far(form: Form) -> None:
    piece = written(small()[:1], form)
    for first, then in ((piece, b"\x00"), (piece, b"9"), (piece[:4], b"9"), (piece[:-9], b"a")):
        with pytest.raises(CodecError):
            list(files.read(Endless(first, then)))


HUGE = {
    "a line without end": (b'{"hash":"', b"a"),
    "a word without end": (b"EVENT ", b"0"),
    "a number without end": (b"FROM ", b"9"),
    "a body of a terabyte": (
        b"EVENT " + b"0" * 64 + b"\n0000000000000000\na\n1099511627776\nat 1\n\n",
        b"x",
    ),
    "a length of 64 bits": (
        b"EVENT " + b"0" * 64 + b"\n0000000000000000\na\n18446744073709551616\nat 1\n\n",
        b"x",
    ),
    "data of 64 bits": (
        b"\x86\x00\x00\x58\x20" + bytes(32) + b"\x61a\x5b" + b"\xff" * 8,
        b"x",
    ),
    "a type of four gigabytes": (
        b"\x86\x00\x00\x58\x20" + bytes(32) + b"\x7a" + b"\xff" * 4,
        b"x",
    ),
    "an indefinite string": (b"\x86\x00\x00\x58\x20" + bytes(32) + b"\x7f", b"x"),
}


@pytest.mark.parametrize(("first", "then"), HUGE.values(), ids=HUGE.keys())
def test_a_length_beyond_its_bound_is_refused_before_it_is_read(first: bytes, then: bytes) -> None:
    with pytest.raises(CodecError) as refused:
        list(files.read(Endless(first, then)))
    assert refused.value.code == CodecError.code


def test_the_longest_data_fits_and_one_byte_more_is_not_written(form: Form) -> None:
    def event(length: int) -> Event:
        data = b"\xa1\x61a" + encode(b"\x00" * length)
        return make_event(0, 0, bytes(32), "a" * 255, data)

    longest = event(EVENT_DATA_BYTES_MAX - 8)
    assert longest.data is not None
    longest = event(2 * EVENT_DATA_BYTES_MAX - len(longest.data) - 8)
    assert longest.data is not None
    assert len(longest.data) == EVENT_DATA_BYTES_MAX
    assert read(written([longest], form)) == [longest]
    if form is not Form.JSONL:
        with pytest.raises(CodecError):
            written([event(EVENT_DATA_BYTES_MAX)], form)


@pytest.mark.parametrize("type_", ["", "a" * 256, "\ud800", "é" * 128])
def test_an_event_without_a_proper_type_is_not_written(form: Form, type_: str) -> None:
    event = msgspec.structs.replace(every_type()[3], type=type_)
    if form is Form.JSONL and type_ not in ("\ud800",):
        assert verify(read(written([event], form))).problem is not None
        return
    with pytest.raises(CodecError):
        written([event], form)


OPENINGS = st.sampled_from(
    [b"", b"{", b"EVENT ", b"FROM 1\n", b"\x86", b"\x86\x01\x01\x58\x20" + bytes(32), b"["]
)


@given(OPENINGS, st.binary(max_size=400))
def test_no_bytes_at_all_give_anything_but_events_or_a_refusal(first: bytes, rest: bytes) -> None:
    found, _ = read_before(first + rest)
    for event in found:
        if event.data is not None and event.type:
            digest = sha256(event.data).digest()
            event_hash(event.seq, event.at, event.parent, event.type.encode(), digest)


@given(st.sampled_from(FORMS), st.data())
def test_pieces_of_files_put_together_anyhow_never_make_the_same_chain(
    form: Form, data: st.DataObject
) -> None:
    events = small()
    whole = written(events, form)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(0, len(whole)))
    changed = whole[:start] + whole[end:]
    found, error = read_before(changed)
    if error is None and changed.removesuffix(b"\n") != whole.removesuffix(b"\n"):
        assert not verifies(found)
