"""What people are shown of two values that should have been the same: both, around where they part.

Only for people: bytes that are text are shown as text, and what is long is cut. What counts is
compared elsewhere, byte by byte.
"""

from __future__ import annotations

import json
from hashlib import sha256

from theater.chain.shapes import Part
from theater.chain.tip import Ref
from theater.errors import CodecError
from theater.limits import DIFFERENCE_BYTES_MAX, DIFFERENCE_CHARS_MAX
from theater.runtime.ports import ContentSource
from theater.values import cbor

_BEFORE_CHARS = 40


def of_values(recorded: Part, actual: bytes, source: ContentSource) -> tuple[str, str]:
    """Return what an event has or names and what came instead, CBOR items both, as text."""
    kept = recorded if isinstance(recorded, bytes) else _kept(recorded, source)
    return _cut(_gone(recorded) if kept is None else _item(kept), _item(actual))


def of_value(actual: bytes) -> str:
    """Return what came where nothing is recorded, a CBOR item, as text."""
    return _clipped(_item(actual), 0)


def of_states(recorded: Ref | None, actual: bytes | None, source: ContentSource) -> tuple[str, str]:
    """Return the state that an event names and the one that came instead as text."""
    if recorded is None:
        return _cut("none", _text(actual))
    kept = _kept(recorded, source)
    return _cut(_gone(recorded) if kept is None else _text(kept), _text(actual))


def _kept(ref: Ref, source: ContentSource) -> bytes | None:
    found = source.content(ref[0])
    return None if found is None else found[1]


def _gone(part: Part) -> str:
    return f"{part[1]} bytes that are gone"


def _item(encoded: bytes) -> str:
    if len(encoded) > DIFFERENCE_BYTES_MAX:
        return _by_digest(encoded)
    try:
        return json.dumps(_plain(cbor.decode(encoded)), ensure_ascii=False)
    except CodecError:
        return _by_digest(encoded)


def _plain(item: object) -> object:
    match item:
        case bytes():
            return _text(item)
        case list():
            return [_plain(each) for each in item]
        case dict():
            return {name: _plain(each) for name, each in item.items()}
        case _:
            return item


def _text(data: bytes | None) -> str:
    if data is None:
        return "none"
    if len(data) <= DIFFERENCE_BYTES_MAX:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return _by_digest(data)


def _by_digest(data: bytes) -> str:
    return f"{len(data)} bytes with the SHA-256 {sha256(data).hexdigest()}"


def _cut(recorded: str, actual: str) -> tuple[str, str]:
    same = next(
        (i for i, (one, two) in enumerate(zip(recorded, actual, strict=False)) if one != two),
        min(len(recorded), len(actual)),
    )
    start = 0 if same <= _BEFORE_CHARS * 2 else same - _BEFORE_CHARS
    return _clipped(recorded, start), _clipped(actual, start)


def _clipped(text: str, start: int) -> str:
    end = start + DIFFERENCE_CHARS_MAX
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"
