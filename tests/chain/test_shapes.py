"""What shapes promises, seen through the public names of its layer (chain)."""

from __future__ import annotations

import random
from collections.abc import Callable

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.sample import ENGINE, every_type, peer, salt, state
from tests.values.strategies import TEXTS, items
from theater.chain import shapes
from theater.chain.forms import Call, CallMessage, Error, Host, Intent, Note, Part, Peer, Result
from theater.chain.shapes import parse
from theater.errors import CodecError, TooLarge
from theater.limits import ERROR_MESSAGE_BYTES_MAX, EVENT_DATA_BYTES_MAX, INLINE_FIELD_BYTES_MAX
from theater.values.cbor import decode, encode

UINTS = st.integers(0, 2**64 - 1)
SALTS = st.binary(min_size=16, max_size=16)
DIGESTS = st.binary(min_size=32, max_size=32)
REFS = st.tuples(DIGESTS, UINTS)
STATES = st.none() | REFS
LONG_REFS = st.tuples(DIGESTS, st.integers(INLINE_FIELD_BYTES_MAX + 1, 2**64 - 1))
ARRAYS = st.lists(items, max_size=4).map(encode).filter(lambda data: len(data) <= 4096)
VALUES = items.map(encode).filter(lambda data: len(data) <= 4096)
PEERS = st.builds(Peer, TEXTS, UINTS, DIGESTS)
FACTS = st.none() | st.dictionaries(TEXTS, items, max_size=3)
MESSAGES = st.builds(
    CallMessage,
    id=TEXTS,
    origin=st.just("actor"),
    sender=TEXTS,
    kind=TEXTS,
    attempt=UINTS,
    deadline=st.none() | UINTS,
    trace=st.none() | TEXTS,
    cause=st.none() | st.tuples(UINTS, DIGESTS),
)


@given(SALTS, TEXTS, ARRAYS | LONG_REFS, st.none() | MESSAGES, STATES, UINTS, UINTS, SALTS)
def test_a_call_reads_back_as_it_was_built(
    salt: bytes,
    function: str,
    params: Part,
    message: CallMessage | None,
    of: tuple[bytes, int] | None,
    instance: int,
    now: int,
    entropy: bytes,
) -> None:
    data = shapes.call(
        salt,
        function,
        params,
        message=message,
        state=of,
        instance=instance,
        now=now,
        entropy=entropy,
    )
    assert parse("wasm-call", data) == Call(
        salt, function, params, message, of, instance, now, entropy
    )
    assert encode(decode(data)) == data


@given(
    SALTS,
    st.none() | ARRAYS | LONG_REFS,
    st.tuples(st.none() | VALUES | LONG_REFS, st.none(), st.none())
    | st.tuples(st.none(), PEERS, st.none())
    | st.tuples(st.none(), st.none(), st.sampled_from(sorted(shapes.TRAP_CODES))),
    FACTS,
)
def test_a_host_call_reads_back_as_it_was_built(
    salt: bytes,
    input_: Part | None,
    ends: tuple[Part | None, Peer | None, str | None],
    facts: dict[str, object] | None,
) -> None:
    output, head, trap = ends
    data = shapes.host(salt, input_, output, head=head, trap=trap, facts=facts)
    read = parse("a/b", data)
    assert isinstance(read, Host)
    assert (read.salt, read.input, read.output) == (salt, input_, output)
    assert (read.head, read.trap) == (head, trap)
    assert (read.facts is None) == (facts is None)
    assert encode(read.facts) == encode(facts)
    assert encode(decode(data)) == data


@given(SALTS, ARRAYS | LONG_REFS, TEXTS, FACTS)
def test_an_intent_reads_back_as_it_was_built(
    salt: bytes, input_: Part, key: str, facts: dict[str, object] | None
) -> None:
    data = shapes.intent(salt, input_, key, facts=facts)
    read = parse("a/b!", data)
    assert isinstance(read, Intent)
    assert (read.salt, read.input, read.key) == (salt, input_, key)
    assert encode(read.facts) == encode(facts)
    assert encode(decode(data)) == data


@given(SALTS, TEXTS, ARRAYS | LONG_REFS, STATES)
def test_a_result_reads_back_as_it_was_built(
    salt: bytes, function: str, result: Part, of: tuple[bytes, int] | None
) -> None:
    data = shapes.result(salt, function, result, of)
    assert parse("wasm-result", data) == Result(salt, function, result, of)
    assert encode(decode(data)) == data


@given(SALTS, TEXTS, TEXTS)
def test_an_error_reads_back_as_it_was_built(salt: bytes, function: str, message: str) -> None:
    built = {
        shapes.error(salt, function, "error", message=message): Error(
            salt, function, "error", message, None
        ),
        shapes.error(salt, function, "trap", code="exit"): Error(
            salt, function, "trap", None, "exit"
        ),
        shapes.error(salt, function, "deadline"): Error(salt, function, "deadline", None, None),
    }
    for data, error in built.items():
        assert parse("wasm-error", data) == error
        assert encode(decode(data)) == data


@given(SALTS, TEXTS, TEXTS, st.dictionaries(TEXTS, items, max_size=3))
def test_a_note_reads_back_as_it_was_built(
    salt: bytes, by: str, why: str, fields: dict[str, object]
) -> None:
    for name in ("salt", "by", "why"):
        fields.pop(name, None)
    read = parse("actor-pause", shapes.note(salt, by, why, fields))
    assert isinstance(read, Note)
    assert (read.salt, read.by, read.why) == (salt, by, why)
    assert encode(dict(read.fields)) == encode(fields)


@given(SALTS, TEXTS, TEXTS, DIGESTS, REFS, REFS, STATES, st.none() | PEERS, st.none() | PEERS)
def test_a_start_reads_back_as_it_was_built(
    salt: bytes,
    actor: str,
    name: str,
    component: bytes,
    manifest: tuple[bytes, int],
    grants: tuple[bytes, int],
    of: tuple[bytes, int] | None,
    parent: Peer | None,
    origin: Peer | None,
) -> None:
    data = shapes.start(
        salt,
        actor=actor,
        name=name,
        component=component,
        manifest=manifest,
        grants=grants,
        limits={"memory": 1, "deadline_ms": 2},
        engine=ENGINE,
        state=of,
        parent=parent,
        origin=origin,
    )
    assert parse("actor-start", data) == shapes.Start(
        salt,
        actor,
        name,
        component,
        manifest,
        grants,
        {"memory": 1, "deadline_ms": 2},
        ENGINE,
        of,
        parent,
        origin,
    )
    assert encode(decode(data)) == data


def test_every_shape_is_canonical_for_an_independent_library() -> None:
    for event in every_type():
        assert event.data is not None
        assert cbor2.dumps(cbor2.loads(event.data), canonical=True) == event.data


S = salt(0)
GOOD: list[tuple[str, bytes]] = [
    (event.type, event.data) for event in every_type() if event.data is not None
]


@pytest.mark.parametrize(("type_", "data"), GOOD, ids=[type_ for type_, _ in GOOD])
def test_a_shape_with_anything_cut_off_added_missing_or_more_is_refused(
    type_: str, data: bytes
) -> None:
    for end in range(len(data)):
        with pytest.raises(CodecError):
            parse(type_, data[:end])
    with pytest.raises(CodecError):
        parse(type_, data + b"\x00")
    fields = decode(data)
    assert isinstance(fields, dict)
    needed = set(fields) - {"facts", "output", "output_ref", "output_head", "trap", "input"}
    for name in needed if "by" not in fields else {"salt", "by", "why"}:
        fewer = {key: value for key, value in fields.items() if key != name}
        if type_.endswith(("/send-http", "/write")) and name == "input_ref":
            continue
        with pytest.raises(CodecError):
            parse(type_, encode(fewer))
    if "by" not in fields:
        for name in ("", "a", "zzzzzz", "zzzzzzzzzzzzzzzzzzz"):
            with pytest.raises(CodecError):
                parse(type_, encode({**fields, name: 0}))


HEADS = (
    "1800 1818 1900ff 1a0000ffff 1b0000000000000000 5800 5f 60 780161 80 9800 9f a0 a1616100 b800 bf "
    "a2616100616100 a2616200616100 c0 f7 f820 f97e01 fa3f800000 fb3ff0000000000000 ff"
)
"""Heads that need more thought than their neighbours, most of them of another length than is due."""


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_taken_has_no_other_encoding(seed: int) -> None:
    chance = random.Random(seed)
    taken = 0
    for _ in range(4000):
        type_, good = chance.choice(GOOD)
        data = bytearray(good)
        for _ in range(chance.choice((1, 1, 2))):
            at = chance.randrange(len(data))
            match chance.randrange(5):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    data[at] ^= 1 << chance.randrange(8)
                case 2:
                    data[at:at] = bytes.fromhex(chance.choice(HEADS.split()))
                case 3:
                    data[at : at + 1] = bytes.fromhex(chance.choice(HEADS.split()))
                case _:
                    # The same head in a longer form than it needs, if it is one.
                    size = chance.randrange(4)
                    number = (data[at] & 31).to_bytes(1 << size, "big")
                    data[at : at + 1] = bytes([data[at] & 0xE0 | 24 + size]) + number
        changed = bytes(data)
        try:
            parse(type_, changed)
        except CodecError:
            continue
        taken += 1
        assert encode(decode(changed)) == changed
    assert taken > 100


@pytest.mark.parametrize(("type_", "data"), GOOD, ids=[type_ for type_, _ in GOOD])
def test_a_field_of_another_type_is_refused(type_: str, data: bytes) -> None:
    fields = decode(data)
    assert isinstance(fields, dict)
    free = {"facts", "output"}
    names = {"salt", "by", "why"} if "by" in fields else set(fields) - free
    wrongs: tuple[object, ...] = (True, 1.5, -1, [[]], {"x": 1}, b"short")
    for name in names:
        for wrong in wrongs:
            if (name in ("params", "input", "result") and wrong == [[]]) or (
                name == "limits" and wrong == {"x": 1}
            ):
                continue
            with pytest.raises(CodecError):
                parse(type_, encode({**fields, name: wrong}))


def _changed(data: bytes, **changes: object) -> bytes:
    fields = decode(data)
    assert isinstance(fields, dict)
    return encode({key: value for key, value in {**fields, **changes}.items() if value != "-"})


R = [b"d" * 32, 5000]
HOST = shapes.host(S, encode([]), encode(1))
CALL = next(data for type_, data in GOOD if type_ == "wasm-call")
START = next(data for type_, data in GOOD if type_ == "actor-start")
FORK = next(data for type_, data in GOOD if type_ == "actor-fork")
ERROR = shapes.error(S, "f", "trap", code="exit")
MESSAGE = {
    "id": "m",
    "origin": {"host": None},
    "kind": "k",
    "attempt": 0,
    "deadline": None,
    "trace": None,
    "cause": None,
}
REFUSED: dict[str, tuple[str, bytes]] = {
    "a short input by ref": ("a/b", _changed(HOST, input="-", input_ref=[b"d" * 32, 4096])),
    "a short output by ref": ("a/b", _changed(HOST, output="-", output_ref=[b"d" * 32, 1])),
    "a long input inline": ("a/b", _changed(HOST, input=[b"x" * 4096])),
    "a long output inline": ("a/b", _changed(HOST, output=b"x" * 4094)),
    "a long input inline with facts": ("a/b", _changed(HOST, input=[b"x" * 4096], facts={})),
    "a long output inline with facts": ("a/b", _changed(HOST, output=b"x" * 4094, facts={})),
    "input both ways": ("a/b", _changed(HOST, input_ref=R)),
    "output both ways": ("a/b", _changed(HOST, output_ref=R)),
    "output and trap": ("a/b", _changed(HOST, trap="exit")),
    "output and head": ("a/b", _changed(HOST, output_head={"actor": "a", "seq": 1, "hash": b"h" * 32})),
    "a head that is null": ("a/b", _changed(HOST, output="-", output_head=None)),
    "an unknown trap": ("a/b", _changed(HOST, output="-", trap="whatever")),
    "an input that is no array": ("a/b", _changed(HOST, input=b"x")),
    "an intent without input": ("a/b!", _changed(HOST, input="-", output="-", key="k")),
    "params both ways": ("wasm-call", _changed(CALL, params_ref=R)),
    "short params by ref": ("wasm-call", _changed(CALL, params="-", params_ref=[b"d" * 32, 9])),
    "long params inline": ("wasm-call", _changed(CALL, params=[b"x" * 4096])),
    "a message without a kind": ("wasm-call", _changed(CALL, message=dict(list(MESSAGE.items())[:2]))),
    "an origin of two": ("wasm-call", _changed(CALL, message={**MESSAGE, "origin": {"host": None, "actor": "a"}})),
    "an origin of none": ("wasm-call", _changed(CALL, message={**MESSAGE, "origin": {}})),
    "an origin unknown": ("wasm-call", _changed(CALL, message={**MESSAGE, "origin": {"moon": None}})),
    "a host with a name": ("wasm-call", _changed(CALL, message={**MESSAGE, "origin": {"host": "x"}})),
    "a cause without a hash": ("wasm-call", _changed(CALL, message={**MESSAGE, "cause": {"seq": 1}})),
    "a cause of 31 bytes": (
        "wasm-call",
        _changed(CALL, message={**MESSAGE, "cause": {"seq": 1, "hash": b"h" * 31}}),
    ),
    "an entropy of 15 bytes": ("wasm-call", _changed(CALL, entropy=b"e" * 15)),
    "a salt of 15 bytes": ("wasm-call", _changed(CALL, salt=b"e" * 15)),
    "a state of three": ("wasm-call", _changed(CALL, state=[b"d" * 32, 1, 2])),
    "a state with a short digest": ("wasm-call", _changed(CALL, state=[b"d" * 31, 1])),
    "a state with a negative length": ("wasm-call", _changed(CALL, state=[b"d" * 32, -1])),
    "a number of instance that is a bool": ("wasm-call", _changed(CALL, instance=True)),
    "another version": ("actor-start", _changed(START, v=2)),
    "other rules": ("actor-start", _changed(START, rules=2)),
    "a component of 31 bytes": ("actor-start", _changed(START, component=b"c" * 31)),
    "a limit that is a bool": ("actor-start", _changed(START, limits={"memory": True})),
    "a limit below nothing": ("actor-start", _changed(START, limits={"memory": -1})),
    "an engine without a name": ("actor-start", _changed(START, engine={"version": "1"})),
    "an engine whose bridge is a bool": ("actor-start", _changed(START, engine={**ENGINE, "bridge": True})),
    "an engine whose fuel is a number": ("actor-start", _changed(START, engine={**ENGINE, "fuel": 1})),
    "a parent with more": ("actor-start", _changed(START, parent={"actor": "a", "seq": 1, "hash": b"h" * 32, "x": 1})),
    "an unknown kind of error": ("wasm-error", _changed(ERROR, kind="whim")),
    "an unknown code": ("wasm-error", _changed(ERROR, code="whim")),
    "a trap without a code": ("wasm-error", _changed(ERROR, code="-")),
    "a code of no trap": ("wasm-error", _changed(ERROR, kind="killed")),
    "an err without a message": ("wasm-error", _changed(ERROR, kind="error", code="-")),
    "a message of nobody": ("wasm-error", _changed(ERROR, message="x")),
    "a message too long": ("wasm-error", _changed(ERROR, kind="error", code="-", message="x" * 4097)),
    "a fork without entropy": ("actor-fork", _changed(FORK, entropy="-")),
    "a fork from nowhere": ("actor-fork", _changed(FORK, **{"from": None})),
    "a fork with a wrong state": ("actor-fork", _changed(FORK, state=b"x")),
    "a restart with a wrong state": ("actor-restart", shapes.note(S, "a", "b", {"state": [1, 2]})),
    "an update with a wrong component": ("actor-update", shapes.note(S, "a", "b", {"component": "x"})),
    "an update with a wrong limit": ("actor-update", shapes.note(S, "a", "b", {"limits": {"a": -1}})),
    "an engine note with a wrong engine": ("actor-engine", shapes.note(S, "a", "b", {"engine": {}})),
    "a redaction of nothing": ("chain-redact", shapes.note(S, "a", "b", {"seqs": []})),
    "a redaction without seqs": ("chain-redact", shapes.note(S, "a", "b")),
    "a redaction twice": ("chain-redact", shapes.note(S, "a", "b", {"seqs": [1, 1]})),
    "a redaction out of order": ("chain-redact", shapes.note(S, "a", "b", {"seqs": [2, 1]})),
    "a redaction of true": ("chain-redact", shapes.note(S, "a", "b", {"seqs": [True]})),
    "a pruning without before": ("chain-prune", shapes.note(S, "a", "b")),
    "a pruning before true": ("chain-prune", shapes.note(S, "a", "b", {"before": True})),
    "a note by nobody": ("actor-pause", encode({"salt": S, "why": "x"})),
    "a note that is no map": ("actor-pause", encode([])),
    "a form that is no map": ("wasm-result", encode([])),
    "a tag in the output": ("a/b", HOST[:-1] + b"\xc1\x01"),
    "a long form in the output": ("a/b", HOST[:-1] + b"\x18\x01"),
    "a tag in the facts": ("a/b", b"\xa3\x64saltP" + S + b"\x65facts\xa1\x61a\xc1\x00\x65input\x80"),
    "keys in another order": ("a/b", b"\xa2\x65input\x80\x64saltP" + S),
    "the same key twice": ("a/b", b"\xa3\x64saltP" + S + b"\x65input\x80\x65input\x80"),
    "a count too small": ("a/b", b"\xa1\x64saltP" + S + b"\x65input\x80"),
    "a count too large": ("a/b", b"\xa3\x64saltP" + S + b"\x65input\x80"),
    "a count in a longer form": ("a/b", b"\xb8\x02\x64saltP" + S + b"\x65input\x80"),
    "no count": ("a/b", b"\xbf\x64saltP" + S + b"\x65input\x80\xff"),
    "an input of endless depth": ("a/b", b"\xa2\x64saltP" + S + b"\x65input" + b"\x81" * 4000 + b"\x00"),
    "nothing": ("a/b", b""),
    "a component that is a text": ("actor-start", _changed(START, component="c" * 32)),
    "an entropy that is a text": ("wasm-call", _changed(CALL, entropy="e" * 16)),
    "a salt that is a text": ("wasm-call", _changed(CALL, salt="e" * 16)),
    "a state whose digest is a text": ("wasm-call", _changed(CALL, state=["d" * 32, 1])),
    "more than 64 KiB": ("a/b", _changed(HOST, facts={"a": b"x" * EVENT_DATA_BYTES_MAX})),
    "too much": ("a/b", b"\xa0" + bytes(EVENT_DATA_BYTES_MAX)),
}  # fmt: skip


@pytest.mark.parametrize(("type_", "data"), REFUSED.values(), ids=REFUSED.keys())
def test_the_reader_refuses(type_: str, data: bytes) -> None:
    with pytest.raises(CodecError):
        parse(type_, data)


def test_the_longest_inline_values_are_read_inline() -> None:
    longest = encode([b"x" * 4092])
    assert len(longest) == INLINE_FIELD_BYTES_MAX
    for facts in (None, {"a": 1}):
        data = shapes.host(S, longest, longest, facts=facts)
        read = parse("a/b", data)
        assert isinstance(read, Host)
        assert (read.input, read.output) == (longest, longest)


BUILDERS: dict[str, Callable[[], bytes]] = {
    "a short salt": lambda: shapes.host(b"s", encode([])),
    "a short salt of a note": lambda: shapes.note(b"s", "a", "b"),
    "a long input inline": lambda: shapes.host(S, encode([b"x" * 4096])),
    "a long input after an intent": lambda: shapes.host(S, encode([b"x" * 4096]), facts={}),
    "a long output inline": lambda: shapes.host(S, encode([]), encode(b"x" * 4096)),
    "a short ref": lambda: shapes.host(S, (b"d" * 32, 4096)),
    "a ref with a short digest": lambda: shapes.host(S, (b"d" * 31, 5000)),
    "output and trap": lambda: shapes.host(S, encode([]), encode(1), trap="exit"),
    "output and head": lambda: shapes.host(S, encode([]), encode(1), head=peer(0)),
    "an unknown trap": lambda: shapes.host(S, encode([]), trap="whim"),
    "an unknown kind": lambda: shapes.error(S, "f", "whim"),  # type: ignore[arg-type]
    "a trap without a code": lambda: shapes.error(S, "f", "trap"),
    "a code of no trap": lambda: shapes.error(S, "f", "killed", code="exit"),
    "an err without a message": lambda: shapes.error(S, "f", "error"),
    "a message of nobody": lambda: shapes.error(S, "f", "killed", message="x"),
    "a note with two salts": lambda: shapes.note(S, "a", "b", {"salt": S}),
    "a fact without CBOR": lambda: shapes.host(S, encode([]), facts={"a": object()}),
    "a short entropy": lambda: shapes.call(
        S, "f", encode([]), message=None, state=None, instance=0, now=0, entropy=b"e"
    ),
    "a short component": lambda: shapes.start(
        S,
        actor="a",
        name="n",
        component=b"c",
        manifest=state(0),
        grants=state(0),
        limits={},
        engine=ENGINE,
        state=None,
    ),
}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())
def test_the_builder_refuses(build: Callable[[], bytes]) -> None:
    with pytest.raises(CodecError):
        build()


def test_data_above_its_bound_is_refused() -> None:
    with pytest.raises(TooLarge):
        shapes.host(S, encode([]), facts={"a": b"x" * EVENT_DATA_BYTES_MAX})
    with pytest.raises(TooLarge):
        shapes.note(S, "a", "b", {"a": b"x" * EVENT_DATA_BYTES_MAX})


@pytest.mark.parametrize("message", ["é" * 5000, "x" + "é" * 5000, "\ud800" * 5000, "😀" * 2000])
def test_a_long_message_of_an_error_is_cut_between_characters(message: str) -> None:
    read = parse("wasm-error", shapes.error(S, "f", "error", message=message))
    assert isinstance(read, Error)
    assert read.message is not None
    assert ERROR_MESSAGE_BYTES_MAX - 4 < len(read.message.encode()) <= ERROR_MESSAGE_BYTES_MAX
    assert message.replace("\ud800", "?").startswith(read.message)


def test_types_with_a_slash_and_the_three_of_a_call_are_the_course() -> None:
    course = {"wasm-call", "wasm-result", "wasm-error"}
    for event in every_type():
        assert shapes.is_course(event.type) == ("/" in event.type or event.type in course)
        assert shapes.is_note(event.type) == (not shapes.is_course(event.type))
    assert {event.type for event in every_type()} >= shapes.NOTES
