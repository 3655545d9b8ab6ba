"""A realistic chain with every type of event in it, the same each time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from theater.chain import shapes
from theater.chain.content import content_ref
from theater.chain.event import ZERO_HASH, Event, event_hash, make_event
from theater.chain.tip import Ref
from theater.values.cbor import encode

ENGINE = {
    "name": "wasmtime",
    "version": "50.0.1",
    "arch": "x86_64-linux",
    "bridge": 1,
    "fuel": False,
    "nan": "canonical",
}
LONG = 5000
SEND = "theater:simple/message-server-client/handle-send"


def salt(number: int) -> bytes:
    return sha256(b"salt" + number.to_bytes(8, "big")).digest()[:16]


def state(number: int) -> Ref:
    return content_ref(salt(number), b"state %d" % number)


def long_ref(number: int) -> Ref:
    return content_ref(salt(number), encode([b"x" * LONG]))


def peer(number: int) -> shapes.Peer:
    return shapes.Peer("actor-b", number, sha256(b"%d" % number).digest())


class Builder:
    """Makes a chain event by event; time passes by 7 microseconds an event."""

    def __init__(self, at: int = 1_700_000_000_000_000) -> None:
        self.events: list[Event] = []
        self.at = at

    @property
    def head(self) -> bytes:
        return self.events[-1].hash if self.events else ZERO_HASH

    @property
    def salt(self) -> bytes:
        return salt(len(self.events))

    def add(self, type_: str, data: bytes) -> Event:
        event = make_event(len(self.events), self.at, self.head, type_, data)
        self.at += 7
        self.events.append(event)
        return event

    def start(self, of: Ref | None = None, **changes: object) -> Event:
        fields: dict[str, object] = {
            "actor": "actor-a",
            "name": "counter",
            "component": sha256(b"component").digest(),
            "manifest": state(1),
            "grants": state(2),
            "limits": {"memory": 64 << 20, "mailbox": 1000},
            "engine": ENGINE,
            "state": of,
            "parent": None,
            "origin": None,
        }
        return self.add(shapes.ACTOR_START, shapes.start(self.salt, **{**fields, **changes}))  # type: ignore[arg-type]

    def call(
        self,
        of: Ref | None = None,
        *,
        instance: int = 0,
        params: shapes.Part | None = None,
        message: shapes.CallMessage | None = None,
        function: str = SEND,
    ) -> Event:
        return self.add(
            shapes.WASM_CALL,
            shapes.call(
                self.salt,
                function,
                encode([b"hello"]) if params is None else params,
                message=message,
                state=of,
                instance=instance,
                now=self.at * 1000,
                entropy=salt(1000 + len(self.events)),
            ),
        )

    def host(
        self, type_: str = "theater:simple/runtime/log", output: shapes.Part | None = None
    ) -> Event:
        return self.add(type_, shapes.host(self.salt, encode(["a line", 3]), output))

    def result(self, of: Ref | None = None, function: str = SEND) -> Event:
        return self.add(shapes.WASM_RESULT, shapes.result(self.salt, function, encode([]), of))

    def note(self, type_: str, **fields: object) -> Event:
        return self.add(type_, shapes.note(self.salt, "operator", "because", fields))


def every_type() -> list[Event]:
    """A chain of an actor from start to stop that has every type of event, shape and form."""
    chain = Builder()
    chain.start(state(0), parent=peer(1), origin=peer(2))
    chain.call(
        state(0),
        message=shapes.CallMessage(
            "m1", "actor", "actor-b", "send", 0, 1_800_000_000_000_000, "00-ab-01", (4, b"c" * 32)
        ),
    )
    chain.host()
    chain.host("theater:simple/store/get", encode({"ok": b"\x00\xff"}))
    chain.add(
        "theater:simple/message-server-host/request",
        shapes.host(
            chain.salt,
            encode(["b", b"question"]),
            encode({"ok": b"answer"}),
            facts={"to": "actor-b", "peer": {"seq": 9, "hash": b"h" * 32}},
        ),
    )
    chain.add(
        "theater:simple/supervisor/get-child-events",
        shapes.host(chain.salt, encode(["child"]), head=peer(3)),
    )
    chain.add(
        "theater:simple/http-client/send-http!",
        shapes.intent(chain.salt, encode([{"method": "GET", "uri": "https://a"}]), "key-1"),
    )
    chain.note(shapes.ACTOR_RECOVER, deaths=1)
    chain.add(
        "theater:simple/http-client/send-http",
        shapes.host(chain.salt, None, long_ref(3), facts={"redirects": 0}),
    )
    chain.result(state(1))
    chain.call(state(1), instance=1, params=long_ref(4))
    chain.add("wasi:cli/stdout@0.2/write", shapes.host(chain.salt, long_ref(5)))
    chain.add("$root/look", shapes.host(chain.salt, encode([]), encode(1.5)))
    chain.add(
        "wasi:filesystem/types@0.2/write!",
        shapes.intent(chain.salt, long_ref(6), "key-2", facts={"path": "a"}),
    )
    chain.add(shapes.WASM_ERROR, shapes.error(chain.salt, SEND, "killed"))
    chain.note(shapes.ACTOR_PAUSE)
    chain.note(shapes.ACTOR_RESUME)
    chain.note(shapes.ACTOR_RESTART, state=None, component=b"d" * 32)
    chain.call(None, message=shapes.CallMessage("m2", "client", "cli", "request", 1))
    chain.add(
        "wasi:sockets/tcp@0.2/start-connect", shapes.host(chain.salt, encode([1]), trap="denied")
    )
    chain.add(shapes.WASM_ERROR, shapes.error(chain.salt, SEND, "trap", code="denied"))
    chain.note(shapes.MESSAGE_ASIDE, message="m2")
    chain.note(shapes.ACTOR_UPDATE, component=b"e" * 32, manifest=state(7), limits={"mailbox": 3})
    chain.call(None, message=shapes.CallMessage("m3", "host", "", "timer"))
    chain.add(shapes.WASM_ERROR, shapes.error(chain.salt, SEND, "error", message="no"))
    chain.note(shapes.ACTOR_ENGINE, engine={**ENGINE, "version": "51.0.0"})
    chain.note(
        shapes.ACTOR_FORK,
        **{"actor": "actor-c", "from": peer(4), "entropy": salt(7), "grants": state(9)},
    )
    chain.note("actor-dreams", of="a later version", deep=[{"a": [1, None]}])
    chain.call(None)
    chain.add(shapes.WASM_RESULT, shapes.result(chain.salt, SEND, long_ref(8), None))
    chain.note(shapes.ACTOR_FAIL)
    chain.note(shapes.ACTOR_STOP)
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "operator", "secret", [4, 8]))
    chain.add(shapes.CHAIN_PRUNE, shapes.prune(chain.salt, "operator", "old", 3))
    return chain.events


def realistic(calls: int = 20) -> list[Event]:
    """A chain of many calls, still running."""
    chain = Builder()
    chain.start()
    before: Ref | None = None
    for number in range(calls):
        chain.call(before, instance=number % 4)
        for _ in range(number % 5):
            chain.host()
        if number % 6 == 5:
            chain.add("a:b/c/post!", shapes.intent(chain.salt, encode([number]), f"key-{number}"))
            chain.add("a:b/c/post", shapes.host(chain.salt, None, encode({"ok": number})))
        if number % 7 == 6:
            chain.add(shapes.WASM_ERROR, shapes.error(chain.salt, SEND, "trap", code="divide"))
        else:
            before = state(number)
            chain.result(before)
    return chain.events


def without_data(events: Iterable[Event], seqs: Iterable[int]) -> list[Event]:
    """The chain as it is once the data of some events is destroyed."""
    gone = set(seqs)
    return [
        msgspec.structs.replace(event, data=None) if event.seq in gone else event
        for event in events
    ]


def with_hash(event: Event, **changes: object) -> Event:
    """An event with some fields changed and its digest and hash made to fit, as a forger would."""
    changed = msgspec.structs.replace(event, **changes)
    if changed.data is not None and "data_digest" not in changes:
        digest = sha256(changed.data).digest()
        changed = msgspec.structs.replace(changed, data_digest=digest)
    hash_ = event_hash(
        changed.seq, changed.at, changed.parent, changed.type.encode(), changed.data_digest
    )
    return msgspec.structs.replace(changed, hash=hash_)


def relinked(events: Sequence[Event]) -> list[Event]:
    """The same course as a whole new chain: numbered, linked and hashed again."""
    chain: list[Event] = []
    for event in events:
        head = chain[-1].hash if chain else ZERO_HASH
        chain.append(with_hash(event, seq=len(chain), parent=head))
    return chain
