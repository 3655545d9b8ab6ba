"""The verifier, over events whose hashes are right and whose story may be any."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fuzz.take import Take
from fuzz.targets.shapes import TYPES
from theater.chain.event import ZERO_HASH, Event, make_event
from theater.chain.verify import Verifier


@dataclass
class _Chain:
    at: int = 0
    seq: int = 0
    head: bytes = ZERO_HASH


def one(data: bytes) -> None:
    take = Take(data)
    chain = _Chain()
    strict, lax = Verifier(), Verifier(strict=False)
    while take.left:
        event = _event(take, chain)
        found = strict.feed(event)
        assert found is None or found == strict.feed(event)
        if lax.feed(event) is not None:
            assert found is not None
    report = strict.finish(chain.head if take.flag() else None)
    assert report.full + report.digest_only == report.events


def _event(take: Take, chain: _Chain) -> Event:
    """The next event, mostly one that follows; a few bits of the input bend it."""
    type_ = take.choice(TYPES) if take.flag() else take.short()[:127].decode("latin-1") or "x"
    bend = take.byte()
    chain.at = chain.at + take.byte() if bend & 1 else take.number()
    data = take.some(take.number() % 2048)
    event = make_event(chain.seq, chain.at, chain.head, type_, data)
    if bend & 0xF0 == 0x20:
        event = msgspec.structs.replace(event, data=None)
    elif bend & 0xF0 == 0x30:
        event = msgspec.structs.replace(event, hash=bytes(32))
    elif bend & 0xF0 == 0x40:
        event = msgspec.structs.replace(event, parent=bytes([bend]) * 32)
    elif bend & 0xF0 == 0x50:
        event = msgspec.structs.replace(event, seq=event.seq + bend)
    elif bend & 0xF0 == 0x60:
        event = msgspec.structs.replace(event, data=data + b"x")
    chain.seq += 1
    chain.head = event.hash
    return event
