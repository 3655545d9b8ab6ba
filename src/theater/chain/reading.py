"""Reading the `data` of events: strictly, so that each form has one encoding.

The keys of a map stand in one order, so a form is read by asking for its keys in that order; what
is left over, missing or twice shows at the end. Values of the guest's own types are checked to be
deterministic CBOR and left encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from theater.chain.forms import (
    Call,
    CallMessage,
    Error,
    Form,
    Host,
    Intent,
    Note,
    Origin,
    Part,
    Peer,
    Result,
    Start,
)
from theater.chain.names import (
    ACTOR_ENGINE,
    ACTOR_FORK,
    ACTOR_RESTART,
    ACTOR_UPDATE,
    CHAIN_PRUNE,
    CHAIN_REDACT,
    ERROR_KINDS,
    TRAP_CODES,
    EventKind,
    kind_of,
)
from theater.chain.rules import ENTROPY_BYTES, RULES
from theater.chain.tip import Ref
from theater.errors import CodecError
from theater.limits import (
    CBOR_DEPTH_MAX,
    ERROR_MESSAGE_BYTES_MAX,
    EVENT_DATA_BYTES_MAX,
    INLINE_FIELD_BYTES_MAX,
)
from theater.values.cbor import UINT_MAX, decode, decode_at, skip

FORMAT: Final = 1
"""The version of the chain's format."""

_LEVELS: Final = CBOR_DEPTH_MAX - 1


def parse(type_: str, data: bytes) -> Form:
    """Return what the data of an event of a type holds. Raises CodecError if it is of another form."""
    if len(data) > EVENT_DATA_BYTES_MAX:
        _refuse("the data is longer than 64 KiB")
    kind = kind_of(type_)
    if kind is EventKind.HOST:
        return _short_host(data) or _host(_Map(data))
    if kind is EventKind.NOTE:
        return _note(type_, data)
    return _READERS[kind](_Map(data))


class _Map:
    """A cursor over the entries of an event's map."""

    __slots__ = ("_at", "_data", "_left")

    def __init__(self, data: bytes, at: int = 0) -> None:
        if at >= len(data) or not 0xA0 <= data[at] < 0xB8:
            _refuse("not a map of its shape")
        self._data = data
        self._left = data[at] - 0xA0
        self._at = at + 1

    def has(self, key: bytes) -> bool:
        """Whether the next entry is the one of this key; if so, its value is read next."""
        if self._data.startswith(key, self._at):
            self._at += len(key)
            self._left -= 1
            return True
        return False

    def need(self, key: bytes) -> None:
        at = self._at
        if not self._data.startswith(key, at):
            _refuse(f"the field {key[1:].decode()} is missing or not in its place")
        self._at = at + len(key)
        self._left -= 1

    def end(self) -> int:
        """Where the map ends; refuses entries that nobody asked for."""
        if self._left:
            _refuse("there are fields that its shape does not have, or not in their place")
        return self._at

    def close(self) -> None:
        if self.end() != len(self._data):
            _refuse("there are bytes after the map")

    def digest(self) -> bytes:
        """A byte string of 32 bytes."""
        start = self._at + 2
        end = start + 32
        if not self._data.startswith(b"\x58\x20", start - 2) or end > len(self._data):
            _refuse("not a digest of 32 bytes")
        self._at = end
        return self._data[start:end]

    def entropy(self) -> bytes:
        """A byte string of 16 bytes."""
        start = self._at + 1
        end = start + ENTROPY_BYTES
        if not self._data.startswith(b"\x50", start - 1) or end > len(self._data):
            _refuse("not an entropy of 16 bytes")
        self._at = end
        return self._data[start:end]

    def salt(self) -> bytes:
        data = self._data
        at = self._at
        end = at + 22
        if not data.startswith(b"\x64saltP", at) or end > len(data):
            _refuse("the salt of 16 bytes is missing or not in its place")
        self._at = end
        self._left -= 1
        return data[at + 6 : end]

    def null(self) -> bool:
        if self._data.startswith(b"\xf6", self._at):
            self._at += 1
            return True
        return False

    def value(self) -> object:
        value, self._at = decode_at(self._data, self._at, _LEVELS)
        return value

    def text(self) -> str:
        data, at = self._data, self._at
        if at + 1 < len(data):
            # Nearly every text is shorter than 256 bytes: its head has one byte or two.
            first = data[at]
            start = at + 1
            length = first - 0x60
            if first == 0x78 and data[start] >= 24:
                length = data[start]
                start += 1
            elif not 0 <= length < 24:
                length = len(data)
            if start + length <= len(data):
                try:
                    value = data[start : start + length].decode()
                except UnicodeDecodeError:
                    _refuse("a text is not valid UTF-8")
                self._at = start + length
                return value
        return self._other_text()

    def _other_text(self) -> str:
        value, end = decode_at(self._data, self._at, 0)
        if not isinstance(value, str):
            _refuse("not a text")
        self._at = end
        return value

    def uint(self) -> int:
        if self._at < len(self._data) and self._data[self._at] < 24:
            self._at += 1
            return self._data[self._at - 1]
        at = self._at
        if self._data.startswith(b"\x1b", at) and at + 9 <= len(self._data):
            # A time: what takes all eight bytes.
            number = int.from_bytes(self._data[at + 1 : at + 9], "big")
            if number >= 0x100000000:
                self._at = at + 9
                return number
        value, end = decode_at(self._data, self._at, 0)
        if type(value) is not int or value < 0:
            _refuse("not an unsigned integer")
        self._at = end
        return value

    def entries(self) -> dict[str, object]:
        value = self.value()
        if not isinstance(value, dict):
            _refuse("not a map")
        return value

    def inline(self) -> bytes:
        """An item of any kind, short enough to be inline."""
        at = self._at
        end = skip(self._data, at, _LEVELS)
        if end - at > INLINE_FIELD_BYTES_MAX:
            _refuse("a value too long to be inline")
        self._at = end
        return self._data[at:end]

    def array(self) -> bytes:
        part = self.inline()
        if part[0] >> 5 != 4:
            _refuse("not an array")
        return part

    def ref(self) -> Ref:
        if not self._data.startswith(b"\x82", self._at):
            _refuse("not a ref")
        self._at += 1
        return self.digest(), self.uint()

    def long_ref(self) -> Ref:
        ref = self.ref()
        if ref[1] <= INLINE_FIELD_BYTES_MAX:
            _refuse("a ref of a value short enough to be inline")
        return ref

    def state(self) -> Ref | None:
        return None if self.null() else self.ref()

    def nested(self) -> _Map:
        return _Map(self._data, self._at)

    def after(self, nested: _Map) -> None:
        self._at = nested.end()

    def peer(self) -> Peer | None:
        if self.null():
            return None
        inner = self.nested()
        inner.need(b"\x63seq")
        seq = inner.uint()
        inner.need(b"\x64hash")
        hash_ = inner.digest()
        inner.need(b"\x65actor")
        actor = inner.text()
        self.after(inner)
        return Peer(actor, seq, hash_)


def _start(fields: _Map) -> Start:
    fields.need(b"\x61v")
    if fields.uint() != FORMAT:
        _refuse("a chain of another version")
    fields.need(b"\x64from")
    origin = fields.peer()
    fields.need(b"\x64name")
    name = fields.text()
    salt = fields.salt()
    fields.need(b"\x65actor")
    actor = fields.text()
    fields.need(b"\x65rules")
    if fields.uint() != RULES:
        _refuse("other recording rules")
    fields.need(b"\x65state")
    state = fields.state()
    fields.need(b"\x66engine")
    engine = fields.entries()
    if not _is_engine(engine):
        _refuse("not the facts of an engine")
    fields.need(b"\x66grants")
    grants = fields.ref()
    fields.need(b"\x66limits")
    limits: dict[str, int] = {}
    for key, value in fields.entries().items():
        if type(value) is not int or value < 0:
            _refuse(f"the limit {key} is not an unsigned integer")
        limits[key] = value
    fields.need(b"\x66parent")
    parent = fields.peer()
    fields.need(b"\x68manifest")
    manifest = fields.ref()
    fields.need(b"\x69component")
    component = fields.digest()
    fields.close()
    return Start(
        salt, actor, name, component, manifest, grants, limits, engine, state, parent, origin
    )


def _call(fields: _Map) -> Call:
    fields.need(b"\x63now")
    now = fields.uint()
    salt = fields.salt()
    fields.need(b"\x65state")
    state = fields.state()
    params: Part | None = fields.array() if fields.has(b"\x66params") else None
    fields.need(b"\x67entropy")
    entropy = fields.entropy()
    fields.need(b"\x67message")
    message = None if fields.null() else _message(fields)
    fields.need(b"\x68function")
    function = fields.text()
    fields.need(b"\x68instance")
    instance = fields.uint()
    if params is None:
        fields.need(b"\x6aparams_ref")
        params = fields.long_ref()
    fields.close()
    return Call(salt, function, params, message, state, instance, now, entropy)


def _message(outer: _Map) -> CallMessage:
    fields = outer.nested()
    fields.need(b"\x62id")
    id_ = fields.text()
    fields.need(b"\x64kind")
    kind = fields.text()
    fields.need(b"\x65cause")
    cause: tuple[int, bytes] | None = None
    if not fields.null():
        inner = fields.nested()
        inner.need(b"\x63seq")
        seq = inner.uint()
        inner.need(b"\x64hash")
        cause = seq, inner.digest()
        fields.after(inner)
    fields.need(b"\x65trace")
    trace = None if fields.null() else fields.text()
    fields.need(b"\x66origin")
    source = fields.nested()
    origin: Origin = "host"
    sender = ""
    if source.has(b"\x64host"):
        if not source.null():
            _refuse("an origin with a value")
    elif source.has(b"\x65actor"):
        origin, sender = "actor", source.text()
    else:
        source.need(b"\x66client")
        origin, sender = "client", source.text()
    fields.after(source)
    fields.need(b"\x67attempt")
    attempt = fields.uint()
    fields.need(b"\x68deadline")
    deadline = None if fields.null() else fields.uint()
    outer.after(fields)
    return CallMessage(id_, origin, sender, kind, attempt, deadline, trace, cause)


def _short_host(data: bytes) -> Host | None:
    """Read the commonest form, salt, input and perhaps output, all inline; None if it is another.

    The same as `_host`, in a third of the time: most events of most chains pass through here.
    """
    if not data.startswith(b"\x64saltP", 1) or not data.startswith(b"\x65input", 23):
        return None
    middle = skip(data, 29, _LEVELS)
    size = len(data)
    if data[29] >> 5 != 4 or middle > 29 + INLINE_FIELD_BYTES_MAX:
        return None
    if data[0] == 0xA2 and middle == size:
        return Host(data[7:23], data[29:middle], None, None, None, None)
    if data[0] != 0xA3 or not data.startswith(b"\x66output", middle):
        return None
    start = middle + 7
    if skip(data, start, _LEVELS) != size or size > start + INLINE_FIELD_BYTES_MAX:
        return None
    return Host(data[7:23], data[29:middle], data[start:], None, None, None)


def _host(fields: _Map) -> Host:
    salt = fields.salt()
    trap = fields.text() if fields.has(b"\x64trap") else None
    if trap is not None and trap not in TRAP_CODES:
        _refuse("not a code of a trap")
    facts = fields.entries() if fields.has(b"\x65facts") else None
    input_: Part | None = fields.array() if fields.has(b"\x65input") else None
    output: Part | None = fields.inline() if fields.has(b"\x66output") else None
    outputs = (trap is not None) + (output is not None)
    if fields.has(b"\x69input_ref"):
        if input_ is not None:
            _refuse("an input both inline and as a ref")
        input_ = fields.long_ref()
    if fields.has(b"\x6aoutput_ref"):
        output = fields.long_ref()
        outputs += 1
    head: Peer | None = None
    if fields.has(b"\x6boutput_head"):
        head = fields.peer()
        if head is None:
            _refuse("a head that is null")
        outputs += 1
    fields.close()
    if outputs > 1:
        _refuse("a host call with more than one of output, head and trap")
    return Host(salt, input_, output, head, trap, facts)


def _intent(fields: _Map) -> Intent:
    fields.need(b"\x63key")
    key = fields.text()
    salt = fields.salt()
    facts = fields.entries() if fields.has(b"\x65facts") else None
    if fields.has(b"\x65input"):
        input_: Part = fields.array()
    else:
        fields.need(b"\x69input_ref")
        input_ = fields.long_ref()
    fields.close()
    return Intent(salt, input_, key, facts)


def _result(fields: _Map) -> Result:
    salt = fields.salt()
    fields.need(b"\x65state")
    state = fields.state()
    result: Part | None = fields.array() if fields.has(b"\x66result") else None
    fields.need(b"\x68function")
    function = fields.text()
    if result is None:
        fields.need(b"\x6aresult_ref")
        result = fields.long_ref()
    fields.close()
    return Result(salt, function, result, state)


def _error(fields: _Map) -> Error:
    code = fields.text() if fields.has(b"\x64code") else None
    fields.need(b"\x64kind")
    kind = fields.text()
    salt = fields.salt()
    message = fields.text() if fields.has(b"\x67message") else None
    fields.need(b"\x68function")
    function = fields.text()
    fields.close()
    if kind not in ERROR_KINDS:
        _refuse("not a kind of error")
    if (kind == "trap") != (code is not None) or (code is not None and code not in TRAP_CODES):
        _refuse("a trap without its code, or a code that is none")
    if (kind == "error") != (message is not None):
        _refuse("an err of the guest without its message, or a message of nobody")
    if message is not None and len(message.encode()) > ERROR_MESSAGE_BYTES_MAX:
        _refuse("an error's message that is too long")
    return Error(salt, function, kind, message, code)


_READERS: Final[Mapping[EventKind, Callable[[_Map], Form]]] = {
    EventKind.START: _start,
    EventKind.CALL: _call,
    EventKind.INTENT: _intent,
    EventKind.RESULT: _result,
    EventKind.ERROR: _error,
}


# Notes


def _note(type_: str, data: bytes) -> Note:
    fields = decode(data)
    if not isinstance(fields, dict):
        _refuse("not a map")
    salt, by, why = fields.pop("salt", None), fields.pop("by", None), fields.pop("why", None)
    if type(salt) is not bytes or len(salt) != 16 or type(by) is not str or type(why) is not str:
        _refuse("not a note with salt, by and why")
    for name in _NEEDED.get(type_, ()):
        if name not in fields:
            _refuse(f"the field {name} is missing")
    for name, check in _CHECKED.get(type_, {}).items():
        if name in fields and not check(fields[name]):
            _refuse(f"the field {name} is not what it should be")
    return Note(salt, by, why, fields)


def _is_uint(value: object) -> bool:
    return type(value) is int and 0 <= value <= UINT_MAX


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_digest(value: object) -> bool:
    return type(value) is bytes and len(value) == 32


def _is_entropy(value: object) -> bool:
    return type(value) is bytes and len(value) == ENTROPY_BYTES


def _is_ref(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return _is_digest(value[0]) and _is_uint(value[1])


def _is_state(value: object) -> bool:
    return value is None or _is_ref(value)


def _is_peer(value: object) -> bool:
    if not isinstance(value, dict) or value.keys() != {"actor", "seq", "hash"}:
        return False
    return _is_text(value["actor"]) and _is_uint(value["seq"]) and _is_digest(value["hash"])


def _is_limits(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_uint, value.values()))


def _is_engine(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return (
        all(type(value.get(name)) is str for name in ("name", "version", "arch"))
        and _is_uint(value.get("bridge"))
        and type(value.get("fuel")) is bool
    )


def _is_ascending(value: object) -> bool:
    if not isinstance(value, list) or not value or not all(map(_is_uint, value)):
        return False
    return all(value[i] < value[i + 1] for i in range(len(value) - 1))


_OF_START: Final[Mapping[str, Callable[[object], bool]]] = {
    "actor": _is_text,
    "name": _is_text,
    "component": _is_digest,
    "manifest": _is_ref,
    "grants": _is_ref,
    "limits": _is_limits,
    "engine": _is_engine,
    "state": _is_state,
    "from": _is_peer,
}
_CHECKED: Final[Mapping[str, Mapping[str, Callable[[object], bool]]]] = {
    ACTOR_RESTART: _OF_START,
    ACTOR_UPDATE: _OF_START,
    ACTOR_ENGINE: _OF_START,
    ACTOR_FORK: {**_OF_START, "entropy": _is_entropy},
    CHAIN_REDACT: {"seqs": _is_ascending},
    CHAIN_PRUNE: {"before": _is_uint},
}
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    ACTOR_FORK: ("actor", "from", "entropy", "grants"),
    CHAIN_REDACT: ("seqs",),
    CHAIN_PRUNE: ("before",),
}


def _refuse(why: str) -> NoReturn:
    raise CodecError(f"not an event's data: {why}")
