"""The lines of an actor's log, as its chain has them: there is no other log."""

from __future__ import annotations

from collections.abc import Callable

from theater.chain import shapes
from theater.chain.event import Event
from theater.chain.jsonl import rfc3339
from theater.protocol.history import LogLine
from theater.protocol.names import LOG_TYPES
from theater.values import cbor


def log_line(event: Event, content: Callable[[bytes], bytes | None]) -> LogLine | None:
    """Return the log line that an event is, None for any other event.

    `content` fetches what was too long to stand in the event. A line that was redacted or pruned
    says so.
    """
    source = LOG_TYPES.get(event.type)
    if source is None:
        return None
    text = _text(event, content)
    return LogLine(
        seq=event.seq,
        at=event.at,
        time=rfc3339(event.at),
        source=source,
        text="(gone)" if text is None else text,
    )


def _text(event: Event, content: Callable[[bytes], bytes | None]) -> str | None:
    if event.data is None:
        return None
    form = shapes.parse(event.type, event.data)
    if not isinstance(form, shapes.Host) or form.input is None:
        return None
    written = form.input if isinstance(form.input, bytes) else content(form.input[0])
    if written is None:
        return None
    arguments = cbor.decode(written)
    line = arguments[-1] if isinstance(arguments, list) and arguments else None
    if isinstance(line, bytes):
        return line.decode("utf-8", "replace")
    return line if isinstance(line, str) else None
