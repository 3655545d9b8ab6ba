"""The body of every answer that is an error, and how the error tree maps to HTTP and back.

A status says what a program may do about it (ask again, ask otherwise, give up); the dotted code
says what happened. The class on the client's side follows from both.
"""

from __future__ import annotations

from typing import Final

import msgspec

from theater.errors import (
    ActorFailed,
    CodecError,
    ComponentError,
    Conflict,
    Denied,
    Diverged,
    IntegrityError,
    ManifestError,
    NotFound,
    Problem,
    TheaterError,
    TimedOut,
    TooLarge,
    Unavailable,
    UsageError,
)

# The first class that fits counts, so subclasses stand before their parents.
_STATUS: Final[tuple[tuple[type[TheaterError], int], ...]] = (
    (TooLarge, 413),
    (UsageError, 400),
    (CodecError, 400),
    (Denied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Diverged, 409),
    (ActorFailed, 422),
    (TimedOut, 504),
    (Unavailable, 503),
)

_STATUS_OF_CODE: Final = {
    "token.missing": 401,
    "token.wrong": 401,
    "http.method": 405,
    "mailbox.full": 503,
}

_CLASS_OF_STATUS: Final[dict[int, type[TheaterError]]] = {
    400: UsageError,
    401: Denied,
    403: Denied,
    404: NotFound,
    405: UsageError,
    408: TimedOut,
    409: Conflict,
    413: TooLarge,
    415: UsageError,
    422: ActorFailed,
    431: TooLarge,
    503: Unavailable,
    504: TimedOut,
}

_CLASS_OF_CODE: Final[tuple[tuple[str, type[TheaterError]], ...]] = (
    ("manifest.", ManifestError),
    ("component.", ComponentError),
    ("encoding", CodecError),
    ("integrity", IntegrityError),
    ("replay.diverged", Diverged),
    ("update.diverged", Diverged),
    # What ends a stream has no status of its own.
    ("server.stopping", Unavailable),
    ("node.closing", Unavailable),
    ("subscription.slow", Unavailable),
)


UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON of a shape: texts that are not UTF-8 too."""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error: `code` is stable, `message` is for people, `facts` are for programs."""

    code: str
    message: str
    facts: dict[str, object] = {}


def status_of(error: TheaterError) -> int:
    """Return the HTTP status of an error, 500 for one that is nobody's fault but ours."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def body_of(error: TheaterError) -> ErrorBody:
    """Return what a client is told of an error. Facts that are not JSON are told as text."""
    facts = {name: _plain(value) for name, value in error.facts.items()}
    if isinstance(error, ManifestError):
        facts["problems"] = [
            {"line": at.line, "column": at.column, "message": at.message, "hint": at.hint}
            for at in error.problems
        ]
    return ErrorBody(code=error.code, message=error.message, facts=facts)


def error_of(status: int, body: ErrorBody) -> TheaterError:
    """Return the error that a server's answer means, to be raised by a client."""
    kind = _CLASS_OF_STATUS.get(status, TheaterError)
    for prefix, named in _CLASS_OF_CODE:
        if body.code.startswith(prefix):
            kind = named
    error = kind(body.message)
    error.code = body.code
    error.facts = dict(body.facts)
    if isinstance(error, ManifestError):
        error.problems = _problems(error.facts.get("problems"))
    return error


def _problems(told: object) -> tuple[Problem, ...]:
    try:
        return msgspec.convert(told or [], tuple[Problem, ...])
    except msgspec.ValidationError:
        return ()


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)
