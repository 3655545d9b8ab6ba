"""Building the `data` of events, by splicing pieces that are already encoded.

One function a shape. Keys stand in their deterministic order (shorter first, then by bytes), so
nothing is sorted when an event is made. Values of the guest's own types come encoded (`Part`).
Reading is `parse`; the names of types, kinds and codes and the forms are re-exported from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from theater.chain.content import SALT_BYTES
from theater.chain.event import ZERO_HASH
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
    ACTOR_FAIL,
    ACTOR_FORK,
    ACTOR_PAUSE,
    ACTOR_RECOVER,
    ACTOR_RESTART,
    ACTOR_RESUME,
    ACTOR_START,
    ACTOR_STOP,
    ACTOR_UPDATE,
    CHAIN_PRUNE,
    CHAIN_REDACT,
    ERROR_KINDS,
    MESSAGE_ASIDE,
    NOT_REPRODUCIBLE,
    NOTES,
    TRAP_CODES,
    WASM_CALL,
    WASM_ERROR,
    WASM_RESULT,
    ErrorKind,
    EventKind,
    TrapCode,
    is_course,
    is_note,
    kind_of,
)
from theater.chain.reading import FORMAT, parse
from theater.chain.rules import ENTROPY_BYTES, RULES
from theater.chain.tip import Ref
from theater.errors import CodecError, TooLarge
from theater.limits import (
    ERROR_MESSAGE_BYTES_MAX,
    EVENT_DATA_BYTES_MAX,
    INLINE_FIELD_BYTES_MAX,
)
from theater.values.cbor import NULL, Raw, binary, encode, head, integer, text

__all__ = [
    "ACTOR_ENGINE",
    "ACTOR_FAIL",
    "ACTOR_FORK",
    "ACTOR_PAUSE",
    "ACTOR_RECOVER",
    "ACTOR_RESTART",
    "ACTOR_RESUME",
    "ACTOR_START",
    "ACTOR_STOP",
    "ACTOR_UPDATE",
    "CHAIN_PRUNE",
    "CHAIN_REDACT",
    "ERROR_KINDS",
    "MESSAGE_ASIDE",
    "NOTES",
    "NOT_REPRODUCIBLE",
    "TRAP_CODES",
    "WASM_CALL",
    "WASM_ERROR",
    "WASM_RESULT",
    "Call",
    "CallMessage",
    "Error",
    "ErrorKind",
    "EventKind",
    "Form",
    "Host",
    "Intent",
    "Note",
    "Origin",
    "Part",
    "Peer",
    "Result",
    "Start",
    "TrapCode",
    "call",
    "error",
    "host",
    "intent",
    "is_course",
    "is_note",
    "kind_of",
    "note",
    "parse",
    "prune",
    "redact",
    "result",
    "start",
]

_SALT: Final = b"\x64saltP"
_MAP_OF: Final = tuple(head(5, count) for count in range(24))
_INPUT: Final = (b"\x65input", b"\x69input_ref")
_OUTPUT: Final = (b"\x66output", b"\x6aoutput_ref")


def start(
    salt: bytes,
    *,
    actor: str,
    name: str,
    component: bytes,
    manifest: Ref,
    grants: Ref,
    limits: Mapping[str, int],
    engine: Mapping[str, object],
    state: Ref | None,
    parent: Peer | None = None,
    origin: Peer | None = None,
) -> bytes:
    """Return the data of `actor-start`. `origin` is where the state comes from (`from`)."""
    return _bounded(
        b"\xad\x61v"
        + integer(FORMAT)
        + b"\x64from"
        + _peer(origin)
        + b"\x64name"
        + text(name)
        + _salt(salt)
        + b"\x65actor"
        + text(actor)
        + b"\x65rules"
        + integer(RULES)
        + b"\x65state"
        + _state(state)
        + b"\x66engine"
        + encode(dict(engine))
        + b"\x66grants"
        + _ref(grants)
        + b"\x66limits"
        + encode(dict(limits))
        + b"\x66parent"
        + _peer(parent)
        + b"\x68manifest"
        + _ref(manifest)
        + b"\x69component"
        + binary(_digest(component))
    )


def call(
    salt: bytes,
    function: str,
    params: Part,
    *,
    message: CallMessage | None,
    state: Ref | None,
    instance: int,
    now: int,
    entropy: bytes,
) -> bytes:
    """Return the data of `wasm-call`. `params` is the encoded array without the leading state."""
    if len(entropy) != ENTROPY_BYTES:
        raise CodecError("the entropy of a call has 16 bytes")
    inline = type(params) is bytes
    pieces = (
        b"\xa8\x63now",
        integer(now),
        _salt(salt),
        b"\x65state",
        NULL if state is None else _ref(state),
        b"\x66params" + _inline(params) if inline else b"",
        b"\x67entropyP",
        entropy,
        b"\x67message",
        NULL if message is None else _message(message),
        b"\x68function",
        _word(function),
        b"\x68instance",
        integer(instance),
        b"" if inline else b"\x6aparams_ref" + _long_ref(params),
    )
    return _bounded(b"".join(pieces))


def host(
    salt: bytes,
    input_: Part | None,
    output: Part | None = None,
    *,
    head: Peer | None = None,
    trap: str | None = None,
    facts: Mapping[str, object] | None = None,
) -> bytes:
    """Return the data of a host call's event.

    `input_` is the encoded array of the arguments, None after an intent. `output` is the encoded
    result, None for a function that has none; `head` stands for a chain that was read, `trap` is
    the code with which the call ended instead. Peers may be among the facts' values.
    """
    if len(salt) != SALT_BYTES:
        raise CodecError("a salt has 16 bytes")
    if facts is None and head is None and trap is None and type(input_) is bytes:
        if len(input_) > INLINE_FIELD_BYTES_MAX:
            raise CodecError("a value too long to be inline is given as a ref")
        if output is None:
            return b"\xa2\x64saltP" + salt + b"\x65input" + input_
        if type(output) is bytes:
            if len(output) > INLINE_FIELD_BYTES_MAX:
                raise CodecError("a value too long to be inline is given as a ref")
            return b"\xa3\x64saltP" + salt + b"\x65input" + input_ + b"\x66output" + output
    if (output is not None) + (head is not None) + (trap is not None) > 1:
        raise CodecError("a host call has one of output, head and trap")
    count = 1
    pieces = [_SALT + salt]
    tail = []
    if trap is not None:
        if trap not in TRAP_CODES:
            raise CodecError(f"not a code of a trap: {trap!r}")
        pieces.append(b"\x64trap" + text(trap))
        count += 1
    if facts is not None:
        pieces.append(b"\x65facts" + _facts(facts))
        count += 1
    for part, (key, ref_key) in ((input_, _INPUT), (output, _OUTPUT)):
        if part is None:
            continue
        count += 1
        if isinstance(part, bytes):
            pieces.append(key + _inline(part))
        else:
            tail.append(ref_key + _long_ref(part))
    if head is not None:
        tail.append(b"\x6boutput_head" + _peer(head))
        count += 1
    return _bounded(b"".join([_MAP_OF[count], *pieces, *tail]))


def intent(
    salt: bytes, input_: Part, key: str, *, facts: Mapping[str, object] | None = None
) -> bytes:
    """Return the data of an intent. `key` is the effect's idempotency key."""
    inline = type(input_) is bytes
    return _bounded(
        _MAP_OF[3 if facts is None else 4]
        + b"\x63key"
        + text(key)
        + _salt(salt)
        + (b"" if facts is None else b"\x65facts" + encode(dict(facts)))
        + (b"\x65input" + _inline(input_) if inline else b"\x69input_ref" + _long_ref(input_))
    )


def result(salt: bytes, function: str, result: Part, state: Ref | None) -> bytes:
    """Return the data of `wasm-result`. `result` is the encoded array without the leading state."""
    inline = type(result) is bytes
    pieces = (
        b"\xa4",
        _salt(salt),
        b"\x65state",
        NULL if state is None else _ref(state),
        b"\x66result" + _inline(result) if inline else b"",
        b"\x68function",
        _word(function),
        b"" if inline else b"\x6aresult_ref" + _long_ref(result),
    )
    return _bounded(b"".join(pieces))


def error(
    salt: bytes,
    function: str,
    kind: ErrorKind,
    *,
    message: str | None = None,
    code: TrapCode | None = None,
) -> bytes:
    """Return the data of `wasm-error`.

    `code` belongs to the kind `trap`, `message` to the kind `error`: the guest's own words, of
    which the first `ERROR_MESSAGE_BYTES_MAX` bytes are kept.
    """
    if kind not in ERROR_KINDS or (code is not None and code not in TRAP_CODES):
        raise CodecError(f"not a kind and code of an error: {kind!r}, {code!r}")
    if (kind == "trap") != (code is not None) or (kind == "error") != (message is not None):
        raise CodecError("the kind trap has a code, the kind error has a message, no other has")
    return _bounded(
        _MAP_OF[3 + (code is not None) + (message is not None)]
        + (b"" if code is None else b"\x64code" + text(code))
        + b"\x64kind"
        + text(kind)
        + _salt(salt)
        + (b"" if message is None else b"\x67message" + _clipped(message))
        + b"\x68function"
        + text(function)
    )


def note(salt: bytes, by: str, why: str, fields: Mapping[str, object] | None = None) -> bytes:
    """Return the data of a note. Refs and Peers may be among the fields' values."""
    whole: dict[str, object] = {"salt": salt, "by": by, "why": why}
    for name, value in (fields or {}).items():
        if name in whole:
            raise CodecError(f"every note has its own {name}")
        whole[name] = Raw(_peer(value)) if isinstance(value, Peer) else value
    _salt(salt)
    return _bounded(encode(whole))


def redact(salt: bytes, by: str, why: str, seqs: Iterable[int]) -> bytes:
    """Return the data of `chain-redact`: the data of these events, all before it, is gone."""
    return note(salt, by, why, {"seqs": sorted(set(seqs))})


def prune(salt: bytes, by: str, why: str, before: int) -> bytes:
    """Return the data of `chain-prune`: the data of the events below a seq is gone."""
    return note(salt, by, why, {"before": before})


def _message(message: CallMessage) -> bytes:
    if message.origin == "host":
        origin = b"\xa1\x64host\xf6"
    elif message.origin == "actor":
        origin = b"\xa1\x65actor" + text(message.sender)
    else:
        origin = b"\xa1\x66client" + text(message.sender)
    cause = NULL
    if message.cause is not None:
        seq, hash_ = message.cause
        cause = b"\xa2\x63seq" + integer(seq) + b"\x64hash\x58\x20" + _digest(hash_)
    pieces = (
        b"\xa7\x62id",
        text(message.id),
        b"\x64kind",
        _word(message.kind),
        b"\x65cause",
        cause,
        b"\x65trace",
        NULL if message.trace is None else text(message.trace),
        b"\x66origin",
        origin,
        b"\x67attempt",
        integer(message.attempt),
        b"\x68deadline",
        NULL if message.deadline is None else integer(message.deadline),
    )
    return b"".join(pieces)


@lru_cache(1024)
def _word(name: str) -> bytes:
    """The encoding of a text of which there are few: functions, kinds."""
    return text(name)


def _salt(salt: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        raise CodecError("a salt has 16 bytes")
    return _SALT + salt


def _digest(digest: bytes) -> bytes:
    if len(digest) != len(ZERO_HASH):
        raise CodecError("a digest has 32 bytes")
    return digest


def _ref(ref: Ref) -> bytes:
    digest, length = ref
    return b"\x82\x58\x20" + _digest(digest) + integer(length)


def _long_ref(part: Part) -> bytes:
    if isinstance(part, bytes) or part[1] <= INLINE_FIELD_BYTES_MAX:
        raise CodecError("a value short enough to be inline is not given as a ref")
    return _ref(part)


def _inline(part: Part) -> bytes:
    if not isinstance(part, bytes) or len(part) > INLINE_FIELD_BYTES_MAX:
        raise CodecError("a value too long to be inline is given as a ref")
    return part


def _state(state: Ref | None) -> bytes:
    return NULL if state is None else _ref(state)


def _peer(peer: Peer | None) -> bytes:
    if peer is None:
        return NULL
    return (
        b"\xa3\x63seq"
        + integer(peer.seq)
        + b"\x64hash"
        + binary(_digest(peer.hash))
        + b"\x65actor"
        + text(peer.actor)
    )


def _facts(facts: Mapping[str, object]) -> bytes:
    peer = facts.get("peer")
    if len(facts) == 1 and isinstance(peer, Peer):
        return b"\xa1\x64peer" + _peer(peer)
    return encode(
        {
            name: Raw(_peer(value)) if isinstance(value, Peer) else value
            for name, value in facts.items()
        }
    )


def _clipped(message: str) -> bytes:
    encoded = message.encode(errors="replace")
    if len(encoded) > ERROR_MESSAGE_BYTES_MAX:
        encoded = encoded[:ERROR_MESSAGE_BYTES_MAX].decode(errors="ignore").encode()
    return head(3, len(encoded)) + encoded


def _bounded(data: bytes) -> bytes:
    if len(data) > EVENT_DATA_BYTES_MAX:
        raise TooLarge("an event's data is longer than 64 KiB", bytes=len(data))
    return data
