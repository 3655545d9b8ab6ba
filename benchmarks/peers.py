"""The peers: other libraries that do a comparable thing. Each is optional, from the extra `bench`."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Reading, Stopwatch


def installed(module: str) -> bool:
    """Whether a peer can be measured here."""
    return importlib.util.find_spec(module) is not None


def pykka_asks(count: int) -> Reading | None:
    """Requests a second from one Pykka actor to another; nothing is kept."""
    if not installed("pykka"):
        return None
    import pykka

    class Callee(pykka.ThreadingActor):
        def on_receive(self, message: object) -> object:
            return message

    class Caller(pykka.ThreadingActor):
        def on_receive(self, message: pykka.ActorRef[Callee]) -> int:
            for number in range(count):
                message.ask(number)
            return count

    callee, caller = Callee.start(), Caller.start()
    try:
        with Stopwatch(count) as watch:
            caller.ask(callee)
    finally:
        caller.stop()
        callee.stop()
    return watch.rate()


def pykka_tells(count: int) -> Reading | None:
    """Messages a second that one Pykka actor sends and another handles; nothing is kept."""
    if not installed("pykka"):
        return None
    import pykka

    class Receiver(pykka.ThreadingActor):
        def on_receive(self, message: object) -> object:
            return message

    class Sender(pykka.ThreadingActor):
        def on_receive(self, message: pykka.ActorRef[Receiver]) -> None:
            for number in range(count):
                message.tell(number)

    receiver, sender = Receiver.start(), Sender.start()
    try:
        with Stopwatch(count) as watch:
            sender.ask(receiver)
            receiver.ask(None)
    finally:
        sender.stop()
        receiver.stop()
    return watch.rate()


@contextmanager
def dbos_steps(directory: Path) -> Iterator[Callable[[int], Reading | None]]:
    """DBOS on SQLite; yields what measures the recorded steps a second of one workflow."""
    if not installed("dbos"):
        yield lambda _: None
        return
    from dbos import DBOS

    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": f"sqlite:///{directory}/dbos.sqlite",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )

    @DBOS.step()
    def step(number: int) -> int:
        return number

    @DBOS.workflow()
    def loop(times: int) -> None:
        for number in range(times):
            step(number)

    def measure(count: int) -> Reading:
        with Stopwatch(count) as watch:
            loop(count)
        return watch.rate()

    DBOS.launch()
    try:
        yield measure
    finally:
        DBOS.destroy(destroy_registry=True)


def pykka_fan_out(actors: int, turns: int) -> Reading | None:
    """Messages a second that one thread tells many Pykka actors in turn, handled; nothing is kept."""
    if not installed("pykka"):
        return None
    import pykka

    class Receiver(pykka.ThreadingActor):
        def on_receive(self, message: object) -> object:
            return message

    receivers = [Receiver.start() for _ in range(actors)]
    try:
        with Stopwatch(actors * turns) as watch:
            for number in range(turns - 1):
                for receiver in receivers:
                    receiver.tell(number)
            for answer in [receiver.ask(None, block=False) for receiver in receivers]:
                answer.get()
    finally:
        for receiver in receivers:
            receiver.stop(block=False)
    return watch.rate()


def pykka_fan_in(actors: int, turns: int) -> Reading | None:
    """Messages a second that are told to many Pykka actors and by each to one; nothing is kept."""
    if not installed("pykka"):
        return None
    import pykka

    done = threading.Event()

    class Sink(pykka.ThreadingActor):
        def __init__(self) -> None:
            super().__init__()
            self.left = actors * turns

        def on_receive(self, _message: object) -> None:
            self.left -= 1
            if not self.left:
                done.set()

    class Sender(pykka.ThreadingActor):
        def on_receive(self, message: object) -> None:
            sink.tell(message)

    sink = Sink.start()
    senders = [Sender.start() for _ in range(actors)]
    try:
        with Stopwatch(2 * actors * turns) as watch:
            for number in range(turns):
                for sender in senders:
                    sender.tell(number)
            done.wait()
    finally:
        for each in (*senders, sink):
            each.stop(block=False)
    return watch.rate()


def pykka_ring(actors: int) -> Reading | None:
    """Hops a second of a message that goes round Pykka actors; nothing is kept."""
    if not installed("pykka"):
        return None
    import pykka

    done = threading.Event()

    class Hop(pykka.ThreadingActor):
        def __init__(self, after: pykka.ActorRef[Hop] | None) -> None:
            super().__init__()
            self.after = after

        def on_receive(self, message: object) -> None:
            if self.after is None:
                done.set()
            else:
                self.after.tell(message)

    ring = [Hop.start(None)]
    for _ in range(actors - 1):
        ring.append(Hop.start(ring[-1]))
    try:
        with Stopwatch(actors) as watch:
            ring[-1].tell(b"round")
            done.wait()
    finally:
        for each in ring:
            each.stop(block=False)
    return watch.rate()
