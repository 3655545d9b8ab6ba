"""When a message is to blame for the end of a process, and when it is not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from tests.chaos.gate import Gate
from tests.chaos.patrons import PLAIN, Door, Patron
from tests.chaos.run import compile_for, courier_manifest
from tests.chaos.servers import Forked, Server, environment
from tests.chaos.tally import Tally
from tests.guests.components import built
from tests.runtime.actors import guest
from tests.runtime.variants import napping
from theater.journal.sqlite import SqliteJournal
from theater.journal.sqlite.schema import close_connection, connect_reader
from theater.runtime.black_box import FILE, SLOT_BYTES, SLOTS

WAIT_S = 60.0
NAP_MS = 2_500

pytestmark = pytest.mark.slow


class House:
    """A data directory, its servers one after the other, and one client."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.data_dir = folder / "data"
        self.tally = Tally()
        self.door = Door()
        self.patron = Patron("client", self.door, self.tally, folder / "told")
        self._servers = Forked(environment(cache, folder), folder / "server.log")
        self._server: Server | None = None

    def open(self) -> None:
        command = ["server", "--port", "0", "--data-dir", str(self.data_dir)]
        self._server = self._servers.start(command)
        address = self._server.address()
        assert address is not None
        self.door.open(address, (self.data_dir / "token").read_text().strip())

    def kill(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            self.door.shut()
            server.kill()

    def close(self) -> None:
        self.door.close()
        self.kill()
        self._servers.close()

    def runs_a_guest(self) -> bool:
        """Whether a thread is in a guest."""
        return any((self.data_dir / FILE).read_bytes()[: SLOTS * SLOT_BYTES])

    def deaths(self, actor: str) -> int:
        """How many deaths are counted on disk."""
        connection = connect_reader(self.data_dir / "journal.db", None)
        try:
            row = connection.execute("SELECT deaths FROM actors WHERE id = ?", (actor,)).fetchone()
        finally:
            close_connection(connection)
        assert row is not None
        return int(row[0])


@pytest.fixture
def cache(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return request.config.cache.mkdir("guests")


@pytest.fixture
def house(tmp_path: Path, cache: Path) -> Iterator[House]:
    opened = House(tmp_path, cache)
    yield opened
    opened.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)


def test_a_message_in_whose_call_two_processes_died_is_set_aside(house: House) -> None:
    house.open()
    patron = house.patron
    actor = patron.start("start", guest("loop"), "loop", PLAIN)
    patron.send("poison", actor, b"for ever")
    # The fourth event, after those of its start, is the call that does not end.
    until(lambda: house.door.client().actor(actor).events == 4 and house.runs_a_guest())
    house.kill()
    house.open()
    until(lambda: house.deaths(actor) == 1 and house.runs_a_guest())
    house.kill()
    house.open()
    assert patron.request("after", actor, b"and now?") == b"and now?"
    errors = [event.data for event in house.door.client().events(actor, type="wasm-error")]
    assert [dict(error)["kind"] for error in errors if isinstance(error, dict)] == ["killed"]
    house.kill()
    journal = SqliteJournal.open(house.data_dir)
    assert [message.state for message in journal.messages(actor)] == ["aside"]
    journal.close()


def test_a_message_that_sleeps_is_not_to_blame_for_kills(house: House, cache: Path) -> None:
    compile_for([napping(NAP_MS), guest("counter")], cache)
    house.open()
    patron = house.patron
    sleeper = patron.start("sleeper", napping(NAP_MS), "sleeper", PLAIN)
    other = patron.start("other", guest("counter"), "other", PLAIN)
    patron.send("nap", sleeper, b"nap")
    until(lambda: house.door.client().actor(sleeper).events == 5)
    for number in range(1, 4):
        house.kill()
        house.open()
        # The sleeper was woken before anybody could ask for this.
        assert patron.request(f"after-{number}", other, b"?") == b"%d" % number
    assert patron.request("last", sleeper, b"?") == b"2"
    assert not list(house.door.client().events(sleeper, type="wasm-error"))


class Holding(Gate):
    """A gate that answers nobody until it is told to."""

    released = threading.Event()

    def stamp(self, key: str, body: bytes) -> bytes:
        stamp = super().stamp(key, body)
        self.released.wait(WAIT_S)
        return stamp


def test_a_message_that_waits_in_an_open_post_is_not_to_blame_for_kills(
    house: House, cache: Path
) -> None:
    courier = built("courier", cache).read_bytes()
    compile_for([courier], cache)
    job = {"name": "it", "posts": True, "bytes": 10, "later": False}
    with Holding(1, house.tally) as gate, ThreadPoolExecutor(1) as client:
        house.open()
        actor = house.patron.start(
            "start", courier, "courier", courier_manifest("retry", 64), {"gate": gate.address}
        )
        asked = client.submit(house.patron.request, "key", actor, json.dumps(job).encode())
        try:
            for arrived in range(1, 5):
                until(lambda arrived=arrived: house.tally.count("arrived") == arrived)
                house.kill()
                house.open()
            gate.released.set()
            stamp, _, seal = json.loads(asked.result(WAIT_S)).partition(" ")
        finally:
            gate.released.set()
            house.door.close()
    assert len({arrival.key for arrival in gate.arrivals}) == 1
    assert stamp == sha256(b'{"of": true, "job": "it"}').hexdigest()[:12]
    assert seal == sha256(b"it").hexdigest()
