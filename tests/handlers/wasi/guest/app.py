"""A guest that does in `init` what its parameter says, and answers with what it saw, as JSON."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import time
import uuid

CALLS = 0


def draw() -> object:
    return [str(uuid.uuid4()), random.random(), os.urandom(40).hex()]


def clock() -> object:
    return [time.time_ns(), time.monotonic_ns()]


def sleep() -> object:
    before = clock()
    time.sleep(0.25)
    return [before, clock()]


def output() -> object:
    print("hello", 1)
    print("oops", file=sys.stderr)
    print("begun", end="")
    sys.stdout.flush()
    return None


def surroundings() -> object:
    return [dict(os.environ), sys.argv, sys.stdin.read(), sys.stdout.isatty()]


def missing_file() -> object:
    try:
        open("/etc/passwd").close()
    except OSError as error:
        return type(error).__name__
    return "opened"


def connect() -> object:
    return socket.socket().fileno()


def fail() -> object:
    raise ValueError("on purpose")


def leave() -> object:
    sys.exit(3)


class Actor:
    """What the component exports as theater:simple/actor."""

    def init(self, state: bytes | None, params: tuple[str]) -> tuple[bytes]:
        global CALLS
        CALLS += 1
        seen = globals()[params[0]]() if params[0] else None
        return (json.dumps([CALLS, seen]).encode(),)
