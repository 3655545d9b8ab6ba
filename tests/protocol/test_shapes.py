"""What goes over the wire refuses what it does not know."""

from __future__ import annotations

import msgspec
import pytest

from theater.chain import jsonl
from theater.chain.event import ZERO_HASH, make_event
from theater.protocol import actors, errors, history
from theater.protocol.actors import outcome
from theater.protocol.history import EventLine, verify_view
from theater.values import cbor

SHAPES = [
    shape
    for module in (actors, errors, history)
    for shape in vars(module).values()
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape is not msgspec.Struct
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_refuses_fields_that_it_does_not_know(shape: type[msgspec.Struct]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"no_such_field": 1}', type=shape)
    assert shape.__struct_config__.forbid_unknown_fields
    assert shape.__struct_config__.frozen


def test_an_event_line_is_the_line_of_an_exported_chain() -> None:
    data = cbor.encode({"salt": bytes(16), "by": "me", "why": "because"})
    event = make_event(0, 1_700_000_000_000_000, ZERO_HASH, "actor-pause", data)
    line = jsonl.line(event)
    read = msgspec.json.decode(line, type=EventLine)
    assert (read.seq, read.hash, read.event_type) == (0, event.hash.hex(), "actor-pause")
    assert msgspec.json.decode(msgspec.json.encode(read)) == msgspec.json.decode(line)


def test_an_outcome_has_its_text_where_it_is_text() -> None:
    assert outcome(True, "grün".encode()).text == "grün"
    assert outcome(True, b"\xff").text is None


def test_a_report_of_verification_names_the_place() -> None:
    from theater.chain.verify import Verifier

    data = cbor.encode({"salt": bytes(16), "by": "me", "why": "because"})
    verifier = Verifier()
    verifier.feed(make_event(0, 5, b"\x01" * 32, "actor-pause", data))
    view = verify_view(verifier.finish())
    assert not view.ok
    assert view.problem is not None
    assert view.problem.seq == 0
