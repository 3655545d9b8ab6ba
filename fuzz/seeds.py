"""What each target's first inputs were: what is in the repository, and small ones by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fuzz.targets.shapes import TYPES
from theater.chain import files, jsonl
from theater.chain.event import Event
from theater.engine import wat
from theater.journal.sqlite.runs import pack
from theater.protocol.names import API

ROOT = Path(__file__).parent.parent
_REQUESTS = (
    f"GET {API}",
    f"GET {API}/openapi.json",
    f"GET {API}/actors?ended=true",
    f"GET {API}/actors/counter",
    f"GET {API}/actors/@actor/state?at=4",
    f"GET {API}/actors/@actor/events?from=1&limit=3&type=wasm-*&follow=false",
    f"GET {API}/actors/@actor/events\naccept: text/event-stream\nlast-event-id: 2",
    f"GET {API}/actors/@actor/logs?follow=true",
    f"GET {API}/events?actor=@actor&actor=counter&from=now&cursor=1.2",
    f"GET {API}/events?cursor=3\naccept: text/event-stream\nlast-event-id: 1",
    f"GET {API}/actors/@actor/wait?timeout_ms=1",
    f"POST {API}/actors/@actor/send\nidempotency-key: k\n\nhello",
    f"POST {API}/actors/@actor/request?timeout_ms=50\n\nhello",
    f"POST {API}/actors/@actor/verify",
    f'POST {API}/actors/@actor/replay\n\n{{"until": 3}}',
    f'POST {API}/actors/nobody/stop\n\n{{"force": true}}',
    f'POST {API}/actors\n\n{{"manifest": "name = 1", "path": "m", "component": "@component"}}',
    f"HEAD {API}/components/@component",
    f"PUT {API}/components/{'0' * 64}\n\nwasm",
)


def seeds(name: str) -> Iterable[bytes]:
    """The first inputs of a target."""
    match name:
        case "manifest":
            for path in ROOT.glob("examples/*/*.toml"):
                yield b" " + path.read_bytes()
                yield b"$" + path.read_bytes() + b'\ndescription = "${NAME} {{a}} ${X:-y}"\n'
        case "cbor":
            yield from (event.data or b"\xf6" for event in _events())
            yield bytes.fromhex(
                "8af5f4f6f97e00fa47c35000fb3ff199999999999a3903e719ffff1affffffff40"
            )
        case "value":
            for kind in range(11):
                for event in _events()[:6]:
                    yield bytes([kind, 1, 2, 0, 1, 4, 1]) + (event.data or b"")
                yield bytes([kind, 3, 0, 1, 0, 5]) + b'{"ok":{"$bytes":"AAEC"}}'
                yield bytes([kind, 2, 0, 12, 0, 4]) + b'["a",1,null,[true],2.5]'
        case "shapes":
            for event in _events():
                for place, type_ in enumerate(TYPES):
                    if type_ == event.type:
                        yield bytes([place]) + (event.data or b"")
        case "chain_file":
            for events in _chains():
                for form in files.Form:
                    yield b"".join(files.write(events, form))
        case "verifier":
            for events in _chains():
                yield b"".join(
                    bytes([1, TYPES.index(event.type), 0])
                    + (event.at & 0xFFFF).to_bytes(2, "big")
                    + len(event.data or b"").to_bytes(2, "big")
                    + (event.data or b"")
                    for event in events
                    if event.type in TYPES
                )
        case "component":
            for path in ROOT.glob("guests/wat/*.wat"):
                yield wat(path.read_text())
        case "configuration":
            yield b'server_address = "http://127.0.0.1:1"\ndata_dir = "~/x"\nlog_level = "debug"\n'
            yield b'token = "t"\n[secrets]\nA = { env = "A" }\nB = { file = "b" }\n'
        case "answer":
            for number in range(9):
                yield bytes([number, 0]) + b'{"actors":[{"id":"a","name":"b","status":"running"}]}'
                yield bytes([number, 4]) + b'{"code":"manifest.invalid","message":"m","facts":{}}'
                yield bytes([number, 0]) + b'{"error":{"code":"c","message":"m","facts":{}}}'
                yield bytes([number, 0]) + b'{"seq":3,"cursor":"1"}'
        case "stored":
            for events in _chains():
                for begin, count, run in pack(events):
                    yield bytes([begin % 256, count % 256]) + run
        case "request":
            yield from (text.encode() for text in _REQUESTS)
        case "connection":
            for text in _REQUESTS:
                top, _, body = text.partition("\n\n")
                first, *lines = top.split("\n")
                head = [f"{first} HTTP/1.1", "Host: localhost", *lines]
                if body:
                    head.append(f"Content-Length: {len(body)}")
                yield b"\xff" + "\r\n".join([*head, "", body]).encode()
            yield (
                b"\x01POST /api/v1/actors HTTP/1.1\r\nhost: localhost\r\n"
                b'transfer-encoding: chunked\r\n\r\n3\r\n{"a\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n'
            )


def _chains() -> list[list[Event]]:
    return [
        list(jsonl.read(path.read_bytes().splitlines()))
        for path in sorted(ROOT.glob("tests/golden/**/*.jsonl"))
    ]


def _events() -> list[Event]:
    return [event for events in _chains() for event in events]
