"""Bodies, ids and requests that make no sense: the answer says which field, and nothing else happens."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.server.running import MANIFEST, Running
from theater.limits import CONTENT_ROW_BYTES_MAX, PATH_CHARS_MAX
from theater.protocol.actors import ActorView

pytestmark = pytest.mark.slow


def start_with(counter: ActorView, **fields: object) -> bytes:
    body = {"manifest": MANIFEST, "path": "m.toml", "component": counter.component, **fields}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("fields", "status", "code", "word"),
    [
        ({"component": 1}, 400, "body.invalid", "$.component"),
        ({"state": "!"}, 400, "body.invalid", "$.state"),
        ({"name": ["x"]}, 400, "body.invalid", "$.name"),
        ({"name": ""}, 400, "actor.name", "1 to 128"),
        ({"name": "x" * 129}, 400, "actor.name", "1 to 128"),
        ({"name": "a\x1b[2J"}, 400, "actor.name", "1 to 128"),
        ({"path": "x" * (PATH_CHARS_MAX + 1)}, 400, "body.invalid", "path"),
        ({"component": "zz"}, 400, "component.name", "64"),
        ({"component": "a" * 64}, 404, "component.not_found", "component"),
        ({"manifest": "x = " + "[" * 100_000}, 400, "manifest.invalid", "deep"),
        ({"manifest": "#" * 2_000_000}, 413, "manifest.too_large", "1048576"),
        ({"manifest": 'name = "${HOME}"\ncomponent = "x"\nx = 1'}, 400, "manifest.invalid", "3:1"),
    ],
)
def test_a_start_says_which_field_is_wrong(
    served: Running,
    counter: ActorView,
    fields: dict[str, object],
    status: int,
    code: str,
    word: str,
) -> None:
    before = len(served.node.list(ended=True))
    found, told = served.ask("POST", "/api/v1/actors", start_with(counter, **fields))
    assert (found, told["code"]) == (status, code)
    assert word in told["message"]
    assert len(served.node.list(ended=True)) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"until": NaN}', "encoding.json"),
        (b'{"until": 1e999}', "body.invalid"),
        (b'{"until": 1.5}', "body.invalid"),
        (b'{"until": -1}', "event.number"),
        (b'{"until": "1"}', "body.invalid"),
        (b'{"until": null, "more": 1}', "body.invalid"),
        (b'{"until": ' + b"9" * 5000 + b"}", "body.invalid"),
        (b'{"until": ' + b"[" * 50_000 + b"}", "body.invalid"),
        (b"[" * 50_000, "body.invalid"),
        (b'{"a\\ud800": 1}', "encoding.json"),
        (b"\xef\xbb\xbf{}", "encoding.json"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(
    served: Running, counter: ActorView, body: bytes, code: str
) -> None:
    status, told = served.ask("POST", f"/api/v1/actors/{counter.id}/replay", body)
    assert (status, told["code"]) == (400, code)
    assert len(told["message"]) < 500


def test_a_compressed_body_is_bytes_like_any_other(served: Running) -> None:
    # Nothing is unpacked for a client, so nothing can grow.
    actor = served.start("zipped")
    bomb = gzip.compress(bytes(100 * CONTENT_ROW_BYTES_MAX))
    path = f"/api/v1/actors/{actor.id}/send"
    assert served.ask("POST", path, bomb, {"Content-Encoding": "gzip"})[0] == 202
    kept = [m.body for m in served.node.journal.messages(actor.id)]
    events = b"".join(event.data or b"" for event in served.node.events(actor.id))
    assert bomb in kept or bomb in events


@pytest.mark.parametrize(
    "name", ["%F4%8F%BF%BF", "%ED%9F%BF", "%ff", "%zz", "%", "%00", "~", "a" * 20_000, "%1b%5b2J"]
)
def test_an_id_that_is_none_is_not_found(served: Running, name: str) -> None:
    for verb in ("", "/state", "/events"):
        status, told = served.ask("GET", f"/api/v1/actors/{name}{verb}")
        assert (status, told["code"]) == (404, "actor.not_found")
        assert told["message"].isprintable()
        assert len(told["message"]) < 500


@pytest.mark.parametrize(
    "query", ["at=-1", "at=18446744073709551616", "at=x", "at=", "at=9223372036854775807", "at=٣"]
)
def test_a_place_that_is_none_has_no_state(served: Running, counter: ActorView, query: str) -> None:
    from urllib.parse import quote

    path = f"/api/v1/actors/{counter.id}/state?{quote(query, safe='=')}"
    status, told = served.ask("GET", path)
    assert (status, told["code"]) in ((400, "query.invalid"), (404, "event.not_found"))


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\xff HTTP/1.1\r\n",
        b"GET / HTTP/9.9\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: " + b"9" * 40 + b"\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: gzip\r\n",
        b"GET / HTTP/1.1\r\nbad header: x\r\n",
        b"GET / HTTP/1.1\r\nx: a\0b\r\n",
    ],
)
def test_what_is_no_request_is_answered_like_every_error(served: Running, head: bytes) -> None:
    answer = served.raw(head + b"Host: 127.0.0.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    told = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert told["code"] == "http.400"
    assert served.ask("GET", "/healthz")[0] == 200
