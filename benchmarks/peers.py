"""The peers: other libraries that do a comparable thing. Each is optional, from the extra `bench`."""

from __future__ import annotations

import importlib.util
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


def dbos_steps(directory: Path, count: int) -> Reading | None:
    """Recorded steps a second in one DBOS workflow on SQLite."""
    if not installed("dbos"):
        return None
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

    DBOS.launch()
    try:
        loop(10)
        with Stopwatch(count) as watch:
            loop(count)
    finally:
        DBOS.destroy(destroy_registry=True)
    return watch.rate()
