"""What is read in a chain that came as a file: whether it verifies, whose it is, where it parts from another.

The folder that keeps such chains is `theater.runtime.imports`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final, TypeVar

import msgspec

from theater.chain import sequence, shapes
from theater.chain.event import ZERO_HASH, Event
from theater.chain.forms import changed_start
from theater.chain.scanner import Scanner, Source
from theater.chain.verify import Verifier
from theater.errors import CodecError, Conflict, IntegrityError
from theater.ids import ACTOR_ID
from theater.limits import NAME_CHARS_MAX

T = TypeVar("T")

PLACE_EVENTS: Final = 256
"""Every so many events there is a place from which reading can begin."""

Read = Callable[[int, int | None], Iterator[Event]]
"""Gives the events of a chain from a seq on, at most so many."""


class ImportFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a kept chain without reading it.

    `component`, `manifest` and `head` are hexadecimal; the first two and `name` are empty where the
    data of `actor-start` is gone. `gone` counts events without data, `bytes` is the file's length,
    `places` are the offsets of events 0, 256, 512 …
    """

    actor: str
    name: str
    parent: str | None
    component: str
    manifest: str
    started_at: int
    events: int
    head: str
    gone: int
    bytes: int
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeptChain:
    """A chain that another one can be compared with: its length, and how its events are read."""

    events: int
    read: Read


def verified(events: Iterator[Event]) -> Iterator[Event]:
    """Yield events for as long as they verify; CodecError at the end if they don't, or are none."""
    verifier = Verifier()
    for event in events:
        problem = verifier.feed(event)
        if problem is None:
            yield event
            continue
        break
    report = verifier.finish()
    if report.problem is not None:
        raise CodecError(
            f"the chain does not verify: event {report.problem.seq} ({report.problem.reason}): "
            f"{report.problem.detail}",
            code="encoding.does_not_verify",
            seq=report.problem.seq,
            reason=report.problem.reason,
        )
    if not report.events:
        raise CodecError("the file has no events", code="encoding.empty")


def scan(events: Iterable[Event], actor: str | None, named: str | None) -> ImportFacts:
    """What stands in a chain, and where its events begin as a CBOR sequence."""
    start: shapes.Start | None = None
    said: str | None = None
    began = number = gone = size = 0
    head = ZERO_HASH
    places: list[int] = []
    for event in events:
        if not number:
            began = event.at
        if event.data is None:
            gone += 1
        elif event.type in (shapes.ACTOR_START, shapes.ACTOR_FORK):
            form = shapes.parse(event.type, event.data)
            if isinstance(form, shapes.Start):
                start, said = form, form.actor
            elif isinstance(form, shapes.Note):
                # Behind a fork the chain is the branch's, under its own id.
                branch = form.fields.get("actor")
                said = branch if isinstance(branch, str) else said
        elif event.type == shapes.ACTOR_UPDATE and start is not None:
            form = shapes.parse(event.type, event.data)
            assert isinstance(form, shapes.Note)
            start = changed_start(start, form)
        if number % PLACE_EVENTS == 0:
            places.append(size)
        size += len(sequence.item(event))
        number += 1
        head = event.hash
    chosen = actor or said or named
    if chosen is None or not ACTOR_ID.fullmatch(chosen):
        raise CodecError(
            "the chain does not say whose it is; name the file by the actor's id"
            if chosen is None
            else f"{chosen[:80]!r} is not the id of an actor",
            code="encoding.actor",
        )
    return ImportFacts(
        actor=chosen,
        name="" if start is None else start.name[:NAME_CHARS_MAX],
        parent=None if start is None or start.parent is None else start.parent.actor[:80],
        component="" if start is None else start.component.hex(),
        manifest="" if start is None else start.manifest[0].hex(),
        started_at=began,
        events=number,
        head=head.hex(),
        gone=gone,
        bytes=size,
        places=tuple(places),
    )


def agree(facts: ImportFacts, read: Read, other: KeptChain) -> None:
    """Conflict with the first differing event unless one chain begins with the other."""
    last = min(facts.events, other.events) - 1
    # Hashes cover all that was before, so one comparison is enough where there is no difference.
    if next(read(last, 1)).hash == next(other.read(last, 1)).hash:
        return
    pairs = zip(read(0, last + 1), other.read(0, last + 1), strict=True)
    seq = next(one.seq for one, two in pairs if one.hash != two.hash)
    raise Conflict(
        f"there is another chain of actor {facts.actor} here: the two differ from event {seq} on",
        code="import.different",
        actor=facts.actor,
        seq=seq,
    )


def fuller(one: Event | None, other: Event | None) -> Event:
    """Return that of two copies of an event which still has its data, or the one that there is."""
    chosen = one if other is None or (one is not None and one.data is not None) else other
    assert chosen is not None
    return chosen


def read_kept(file: Source, parent: bytes | None, seq: int, limit: int | None) -> Iterator[Event]:
    """Events of a kept file, each with the digest of its data and the link to the one before."""
    found = _or_damage(sequence.read(Scanner(file)))
    for event in found if limit is None else islice(found, limit):
        broken = event.seq != seq or (parent is not None and event.parent != parent)
        if broken or (event.data is not None and sha256(event.data).digest() != event.data_digest):
            raise IntegrityError(f"event {seq} of an imported chain is damaged", seq=seq)
        yield event
        parent = event.hash
        seq += 1


def _or_damage(events: Iterator[Event]) -> Iterator[Event]:
    while True:
        event = checked(lambda: next(events, None))
        if event is None:
            return
        yield event


def checked(read: Callable[[], T]) -> T:
    """Call `read`; what it can't decode is damage, because it was verified when it was kept."""
    try:
        return read()
    except CodecError as error:
        raise IntegrityError(f"an imported chain is damaged: {error.message}") from error
