"""Chain files of every form: a CodecError, or events that can be written and read back."""

from __future__ import annotations

from io import BytesIO

from theater.chain import files, jsonl
from theater.chain.event import Event
from theater.chain.verify import Verifier
from theater.errors import CodecError


def one(data: bytes) -> None:
    events: list[Event] = []
    whole = False
    try:
        for event in files.read(BytesIO(data)):
            events.append(event)
        whole = True
    except CodecError:
        pass
    verifier = Verifier()
    for event in events:
        verifier.feed(event)
    verifier.finish()
    if whole and events:
        form = files.form_of(data)
        assert form is not None
        written = b"".join(files.write(events, form))
        assert list(files.read(BytesIO(written))) == events
    try:
        meta = jsonl.read_meta(data)
    except CodecError:
        return
    assert jsonl.read_meta(jsonl.write_meta(meta)) == meta
