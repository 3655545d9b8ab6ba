"""What a client asks of a server, without saying how it gets there.

A Call is a request and the way to read its answer. The synchronous and the asynchronous client send
the same Calls, so they can't come to mean different things.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from theater.errors import CodecError, NotFound, TheaterError, TooLarge, Unavailable, UsageError
from theater.limits import CLIENT_WAIT_MS_MAX, IMPORT_BYTES_MAX, MIB
from theater.protocol.actors import (
    ActorList,
    ActorView,
    ComponentReceipt,
    RestartRequest,
    SendReceipt,
    ServerView,
    StartRequest,
    StopRequest,
    UpdateRequest,
)
from theater.protocol.errors import UNREADABLE, ErrorBody, error_of
from theater.protocol.history import ImportView, ReplayRequest, ReplayView, VerifyView
from theater.protocol.messages import DeliverRequest, UnhandledList
from theater.protocol.names import API, BYTES, IDEMPOTENCY_KEY, JSON, JSON_LINES, NOW

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

ANSWER_S: Final = 30.0
COMPILE_S: Final = 300.0
PROOF_S: Final = 3600.0
REQUEST_S: Final = 3600.0
STREAM_S: Final = 60.0
_PIECE_BYTES: Final = 1 * MIB
_MARGIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Upload:
    """The first `size` bytes of a file: it may become longer while it is read."""

    path: Path
    size: int

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes; UsageError if they can't be read."""
        left = self.size
        try:
            with self.path.open("rb") as file:
                while left and (piece := file.read(min(left, _PIECE_BYTES))):
                    yield piece
                    left -= len(piece)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        if left:
            raise UsageError(f"{self.path} became shorter while it was read; try again")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `read` gets the status and body of an answer that is not an error.

    `timeout_s` bounds each wait for bytes. A call with `again` may be made again when a connection
    fails, because it changes nothing or carries a key under which the server does it once.
    `upload` is a file whose bytes are the body.
    """

    method: str
    path: str
    read: Callable[[int, bytes], T]
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    timeout_s: float = ANSWER_S
    again: bool = False
    upload: Upload | None = None


def about() -> Call[ServerView]:
    return _get(API, ServerView)


def start(wanted: StartRequest, key: str | None) -> Call[ActorView]:
    return Call(
        "POST",
        f"{API}/actors",
        _reader(ActorView),
        msgspec.json.encode(wanted),
        {"content-type": JSON, IDEMPOTENCY_KEY: new_key() if key is None else key},
        COMPILE_S,
        again=True,
    )


def has_component(sha256: str) -> Call[bool]:
    return Call(
        "HEAD", f"{API}/components/{_part(sha256)}", lambda status, _: status == 200, again=True
    )


def put_component(sha256: str, wasm: bytes) -> Call[ComponentReceipt]:
    return Call(
        "PUT",
        f"{API}/components/{_part(sha256)}",
        _reader(ComponentReceipt),
        wasm,
        {"content-type": BYTES},
        COMPILE_S,
        again=True,
    )


def actors(ended: bool, parent: str | None = None) -> Call[ActorList]:
    query = _query(ended="true" if ended else None, parent=parent)
    return _get(f"{API}/actors{query}", ActorList)


def actor(text: str) -> Call[ActorView]:
    return _get(_actor(text), ActorView)


def send(text: str, body: bytes, key: str | None) -> Call[SendReceipt]:
    return Call(
        "POST",
        _actor(text, "send"),
        _reader(SendReceipt),
        body,
        {"content-type": BYTES, IDEMPOTENCY_KEY: new_key() if key is None else key},
        again=True,
    )


def request(text: str, body: bytes, timeout_ms: int | None, key: str | None) -> Call[bytes]:
    return Call(
        "POST",
        _actor(text, "request") + _query(timeout_ms=timeout_ms),
        lambda _, answer: answer,
        body,
        {"content-type": BYTES, IDEMPOTENCY_KEY: new_key() if key is None else key},
        REQUEST_S if timeout_ms is None else timeout_ms / 1000 + _MARGIN_S,
        again=True,
    )


def open_channel(text: str, body: bytes, timeout_ms: int | None) -> Call[None]:
    """Not made again: the channel of an opening that broke is closed by itself."""
    return Call(
        "POST",
        _actor(text, "channel") + _query(timeout_ms=timeout_ms),
        lambda _status, _body: None,
        body,
        {"content-type": BYTES, "accept": JSON_LINES},
        REQUEST_S if timeout_ms is None else max(STREAM_S, timeout_ms / 1000 + _MARGIN_S),
    )


def send_on_channel(channel: str, body: bytes, key: str | None) -> Call[SendReceipt]:
    return Call(
        "POST",
        _channel(channel),
        _reader(SendReceipt),
        body,
        {"content-type": BYTES, IDEMPOTENCY_KEY: new_key() if key is None else key},
        again=True,
    )


def close_channel(channel: str) -> Call[None]:
    return Call("DELETE", _channel(channel), lambda _status, _body: None)


def dead_letters(text: str | None, after: int, limit: int) -> Call[UnhandledList]:
    return _get(f"{API}/dead-letters{_query(actor=text, after=after, limit=limit)}", UnhandledList)


def quarantine(text: str | None, after: int, limit: int) -> Call[UnhandledList]:
    return _get(f"{API}/quarantine{_query(actor=text, after=after, limit=limit)}", UnhandledList)


def message_body(message: str) -> Call[bytes]:
    return Call("GET", _message(message), lambda _, body: body, again=True)


def deliver(message: str, to: str | None, key: str | None) -> Call[SendReceipt]:
    return Call(
        "POST",
        f"{_message(message)}/deliver",
        _reader(SendReceipt),
        msgspec.json.encode(DeliverRequest(to=to)),
        {"content-type": JSON, IDEMPOTENCY_KEY: new_key() if key is None else key},
        COMPILE_S,
        again=True,
    )


def drop(message: str) -> Call[None]:
    return Call("DELETE", _message(message), lambda _status, _body: None)


def stop(text: str, force: bool) -> Call[ActorView]:
    body = msgspec.json.encode(StopRequest(force=force))
    return Call(
        "POST", _actor(text, "stop"), _reader(ActorView), body, {"content-type": JSON}, PROOF_S
    )


def pause(text: str) -> Call[ActorView]:
    """Not made again, like `stop` and `resume`: somebody may have asked for something else meanwhile."""
    return Call("POST", _actor(text, "pause"), _reader(ActorView), timeout_s=PROOF_S)


def resume(text: str) -> Call[ActorView]:
    return Call("POST", _actor(text, "resume"), _reader(ActorView), timeout_s=PROOF_S)


def restart(text: str, keep_state: bool, key: str | None) -> Call[ActorView]:
    return Call(
        "POST",
        _actor(text, "restart"),
        _reader(ActorView),
        msgspec.json.encode(RestartRequest(keep_state=keep_state)),
        {"content-type": JSON, IDEMPOTENCY_KEY: new_key() if key is None else key},
        COMPILE_S,
        again=True,
    )


def update(text: str, component: str, force: bool, key: str | None) -> Call[ActorView]:
    return Call(
        "POST",
        _actor(text, "update"),
        _reader(ActorView),
        msgspec.json.encode(UpdateRequest(component=component, force=force)),
        {"content-type": JSON, IDEMPOTENCY_KEY: new_key() if key is None else key},
        PROOF_S,
        again=True,
    )


def wait(text: str, timeout_s: float) -> Call[ActorView]:
    """One long poll; a longer wait is several of them."""
    bound_ms = min(int(timeout_s * 1000), CLIENT_WAIT_MS_MAX)
    return Call(
        "GET",
        _actor(text, "wait") + _query(timeout_ms=bound_ms),
        _reader(ActorView),
        timeout_s=bound_ms / 1000 + _MARGIN_S,
        again=True,
    )


def state(text: str, at: int | None) -> Call[bytes | None]:
    return Call(
        "GET",
        _actor(text, "state") + _query(at=at),
        lambda status, body: None if status == 204 else body,
        again=True,
    )


def events(text: str, start: int, limit: int | None, type_: str | None, follow: bool) -> Call[None]:
    query = _query(
        **{"from": start, "limit": limit, "type": type_, "follow": "true" if follow else None}
    )
    return _stream(_actor(text, "events") + query)


def all_events(
    texts: Sequence[str],
    start: int | None,
    cursor: str | None,
    limit: int | None,
    type_: str | None,
    follow: bool,
) -> Call[None]:
    begin = {"cursor": cursor} if cursor else {"from": NOW if start is None else start}
    query = _query(**begin, limit=limit, type=type_, follow="true" if follow else None)
    which = "".join(f"&{urlencode({'actor': text})}" for text in texts)
    return _stream(f"{API}/events{query}{which}")


def logs(text: str, start: int, limit: int | None, follow: bool) -> Call[None]:
    query = _query(**{"from": start, "limit": limit, "follow": "true" if follow else None})
    return _stream(_actor(text, "logs") + query)


def verify(text: str) -> Call[VerifyView]:
    return Call("POST", _actor(text, "verify"), _reader(VerifyView), timeout_s=PROOF_S)


def replay(text: str, until: int | None) -> Call[ReplayView]:
    body = msgspec.json.encode(ReplayRequest(until=until))
    return Call(
        "POST", _actor(text, "replay"), _reader(ReplayView), body, {"content-type": JSON}, PROOF_S
    )


def import_chain(path: Path, actor: str | None) -> Call[ImportView]:
    """May be made again: the second time the server has the chain already."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from None
    if size > IMPORT_BYTES_MAX:
        raise TooLarge(
            f"{path} has {size} bytes; an imported chain has at most {IMPORT_BYTES_MAX}",
            code="body.too_large",
            bound=IMPORT_BYTES_MAX,
        )
    return Call(
        "POST",
        f"{API}/imports{_query(actor=actor)}",
        _reader(ImportView),
        headers={"content-type": BYTES, "content-length": str(size)},
        timeout_s=PROOF_S,
        again=True,
        upload=Upload(path, size),
    )


def new_key() -> str:
    """Return a key that nobody used before."""
    return os.urandom(16).hex()


def failure(status: int, body: bytes, path: str) -> TheaterError:
    """Return the error that an answer means."""
    try:
        return error_of(status, msgspec.json.decode(body, type=ErrorBody))
    except UNREADABLE:
        if status == 404:
            return NotFound(f"there is no {path} on the server; is it one of Theater?")
        text = "".join(c if c.isprintable() else " " for c in body[:200].decode("utf-8", "replace"))
        return Unavailable(
            f"the server answered {status}, and not as a Theater server does: {text}",
            code="server.unknown",
        )


def decoded(body: bytes, shape: type[S]) -> S:
    """Return an answer, or a line of one, as the shape that it should have."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        raise CodecError(
            f"the answer is not what this version expects ({error}): either it is not a Theater "
            "server, or one of another version; `theater --version` tells the command's",
            code="server.version",
        ) from None


def line_of(raw: bytes) -> bytes:
    """Return a line of a stream as it is; raise the error that it is instead, if it is one."""
    if raw.startswith(b'{"error":'):
        raise error_of(500, decoded(raw, _Broken).error)
    return raw


def unreachable(address: str, error: Exception) -> Unavailable:
    """Return the error for a server that could not be talked to."""
    return Unavailable(
        f"no server answers at {address} ({error}); start one with `theater server`, or say where "
        "it is with --address",
        code="server.unreachable",
        address=address,
    )


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} can't be read: {error.strerror or error}", code="file.unreadable")


class _Broken(msgspec.Struct, frozen=True):
    error: ErrorBody


def _get(path: str, shape: type[S]) -> Call[S]:
    return Call("GET", path, _reader(shape), again=True)


def _stream(path: str) -> Call[None]:
    headers = {"accept": JSON_LINES}
    return Call("GET", path, lambda _status, _body: None, b"", headers, STREAM_S, again=True)


def _reader(shape: type[S]) -> Callable[[int, bytes], S]:
    def read(_status: int, body: bytes) -> S:
        return decoded(body, shape)

    return read


def _actor(text: str, verb: str | None = None) -> str:
    if not text or "/" in text:
        # No path can say it: the server would take it for another one.
        raise NotFound(
            f"there is no actor {text[:80]!r}; `theater list --all` shows every one, and an id or a "
            "prefix of it always names it",
            code="actor.not_found",
        )
    path = f"{API}/actors/{_part(text)}"
    return path if verb is None else f"{path}/{verb}"


def _message(text: str) -> str:
    if not text or "/" in text:
        raise NotFound(f"there is no message {text[:80]!r}", code="message.not_found")
    return f"{API}/messages/{_part(text)}"


def _channel(text: str) -> str:
    return f"{API}/channels/{_part(text)}"


def _part(text: str) -> str:
    # What a command line has that is not UTF-8 goes as the bytes that it is.
    return quote(text, safe="", errors="surrogateescape")


def _query(**fields: str | int | None) -> str:
    given = {name: value for name, value in fields.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""
