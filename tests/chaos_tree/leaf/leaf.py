"""A leaf of the tree that is put under chaos, in Python: what `branch.wat` does, without children.

Where that one works, `w`, this one sleeps.
"""

import os
import time
from dataclasses import dataclass, field

from theater_guest import Actor, HostError, request_bytes, send, shutdown

NAME = slice(1, 13)

served = 0
"""How many messages this instance has had."""


@dataclass
class Leaf(Actor):
    """`seen` has the names of the messages that were handled, in order."""

    codec = "bytes"

    seen: list[str] = field(default_factory=list)

    def on_start(self) -> None:
        self.seen = []

    def on_send(self, message: bytes) -> None:
        self.obey(message)

    def on_request(self, message: bytes) -> bytes:
        self.obey(message)
        return message[NAME]

    def obey(self, message: bytes) -> None:
        global served
        served += 1
        more = message[NAME.stop :]
        match message[:1]:
            case b"c":
                pass
            case b"t":
                if served > 1:
                    os.abort()
            case b"p":
                os.abort()
            case b"l":
                while True:
                    pass
            case b"x":
                shutdown()
            case b"w":
                time.sleep(int(more[:4]) / 1000)
            case b"m" | b"r":
                act = send if message[:1] == b"m" else request_bytes
                try:
                    act(more[:36].decode(), more[36:])
                except HostError:
                    pass
            case _:
                raise ValueError("failed as it was asked to")
        self.seen.append(message[NAME].decode())
