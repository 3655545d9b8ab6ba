"""Chains as JSON lines, one event a line, with a file of facts about the actor beside it.

Source: chain format version 1, "Files", form 1. What counts is `data_cbor`; `data` and `time` are
views for people and `jq`. The reader computes every view again and refuses a line whose view
differs, so that what a person reads is what the hash covers. Whether events follow from each other
is `verify`'s to say.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NoReturn

import msgspec

from theater.chain.event import ZERO_HASH, Event
from theater.chain.scanner import Scanner
from theater.errors import CodecError
from theater.limits import EVENT_LINE_BYTES_MAX
from theater.values.cbor import UINT_MAX
from theater.values.view import show

_KEYS: Final = frozenset(
    {
        "hash",
        "parent_hash",
        "event_type",
        "data",
        "seq",
        "at",
        "time",
        "data_digest",
        "data_cbor",
    }
)
_META_KEYS: Final = frozenset({"actor_id", "actor_name", "manifest_path", "started_at"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_CYCLE_S: Final = 146_097 * 86_400
"""400 years, after which the calendar repeats."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What `{actor_id}.meta.json` says. `started_at` is in Unix seconds."""

    actor_id: str
    actor_name: str
    manifest_path: str
    started_at: int


def line(event: Event) -> bytes:
    """Return the line of an event, with its line feed."""
    return _dump(_fields(event)) + b"\n"


def read_line(written: bytes) -> Event:
    """Return the event of a line, with or without its line feed; CodecError if it is not one."""
    if len(written) > EVENT_LINE_BYTES_MAX:
        raise CodecError("a line is longer than any event's")
    fields = _load(written)
    if fields.keys() != _KEYS:
        _refuse("it has other fields than an event's line")
    parent = fields["parent_hash"]
    event = Event(
        seq=_uint("seq", fields["seq"]),
        at=_uint("at", fields["at"]),
        parent=ZERO_HASH if parent is None else _digest("parent_hash", parent),
        type=_text("event_type", fields["event_type"]),
        data=_cbor(fields["data_cbor"]),
        data_digest=_digest("data_digest", fields["data_digest"]),
        hash=_digest("hash", fields["hash"]),
    )
    again = _fields(event)
    if _dump(again) == written.removesuffix(b"\n"):
        return event
    for name, value in again.items():
        if _canonical(value) != _canonical(fields[name]):
            _refuse(f"{name} is another than what the event makes it")
    return event


def write(events: Iterable[Event]) -> Iterator[bytes]:
    """Yield the lines of a chain."""
    return map(line, events)


def read(lines: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a file's lines; the message of a CodecError names the line."""
    for number, written in enumerate(lines, 1):
        try:
            yield read_line(written)
        except CodecError as error:
            raise CodecError(f"line {number}: {error.message}", line=number) from None


def read_file(scanner: Scanner) -> Iterator[Event]:
    """Yield the events of a file, in bounded memory; a CodecError says at which line and byte.

    The last line may lack its line feed; if it is no event then, the file was cut off in it.
    """
    while scanner.have(1):
        start = scanner.at
        written = scanner.line(EVENT_LINE_BYTES_MAX)
        number = scanner.event + 1
        try:
            event = read_line(written)
        except CodecError as error:
            if scanner.at - start == len(written):
                scanner.cut()
            raise CodecError(
                f"line {number}, at byte {start}: {error.message}",
                line=number,
                event=scanner.event,
                at=start,
            ) from None
        yield event
        scanner.event += 1


def write_meta(meta: Meta) -> bytes:
    """Return the contents of a chain's `.meta.json`."""
    fields = {name: getattr(meta, name) for name in Meta.__slots__}
    return json.dumps(fields, ensure_ascii=False, indent=2).encode() + b"\n"


def read_meta(written: bytes) -> Meta:
    """Return what a chain's `.meta.json` says."""
    if len(written) > EVENT_LINE_BYTES_MAX:
        raise CodecError("a meta file is longer than any")
    fields = _load(written)
    if fields.keys() != _META_KEYS:
        _refuse("it has other fields than a chain's meta file")
    return Meta(
        actor_id=_text("actor_id", fields["actor_id"]),
        actor_name=_text("actor_name", fields["actor_name"]),
        manifest_path=_text("manifest_path", fields["manifest_path"]),
        started_at=_uint("started_at", fields["started_at"]),
    )


def rfc3339(at: int) -> str:
    """Return a time, microseconds since the epoch, as text; years beyond 9999 have more digits."""
    seconds, micros = divmod(at, 1_000_000)
    return f"{_second(seconds)}.{micros:06d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    cycles, rest = divmod(seconds, _CYCLE_S)
    moment = _EPOCH + timedelta(seconds=rest)
    return f"{moment.year + 400 * cycles:04d}{moment.isoformat()[4:]}"


def _fields(event: Event) -> dict[str, object]:
    data = event.data
    return {
        "hash": event.hash.hex(),
        "parent_hash": None if event.parent == ZERO_HASH else event.parent.hex(),
        "event_type": event.type,
        "data": None if data is None else show(data),
        "seq": event.seq,
        "at": event.at,
        "time": rfc3339(event.at),
        "data_digest": event.data_digest.hex(),
        "data_cbor": None if data is None else base64.b64encode(data).decode(),
    }


def _dump(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise CodecError("a text has a lone surrogate and can't be written as UTF-8") from None


def _canonical(value: object) -> str:
    """What two values have in common if and only if they are the same JSON: 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True)


def _load(written: bytes) -> dict[str, object]:
    try:
        fields = _DECODER.decode(written.decode())
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    except (ValueError, RecursionError):
        _refuse("it is not JSON")
    if not isinstance(fields, dict):
        _refuse("it is not a JSON object")
    return fields


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _uint(name: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= UINT_MAX:
        _refuse(f"{name} is not an unsigned integer of 64 bits")
    return value


def _digest(name: str, value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 64:
        _refuse(f"{name} is not 64 hexadecimal digits")
    try:
        return bytes.fromhex(value)
    except ValueError:
        _refuse(f"{name} is not 64 hexadecimal digits")


def _cbor(value: object) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        _refuse("data_cbor is not a text")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        _refuse("data_cbor is not base64")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        _refuse(f"{name} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        _refuse(f"{name} has a lone surrogate")
    return value


def _refuse(why: str) -> NoReturn:
    raise CodecError(f"not an event's line: {why}")
