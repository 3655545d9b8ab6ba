"""The peers: other libraries that do a comparable thing. Each is optional, from the extra `bench`."""

from __future__ import annotations

import importlib.util
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
