"""One run: a server, the tree, its load, and the faults of the plan, until all is at rest again."""

from __future__ import annotations

import itertools
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.patrons import Door
from tests.chaos.run import compile_for
from tests.chaos.servers import Forked, Server, environment
from tests.chaos_tree.callers import Caller, Dealings, Roster
from tests.chaos_tree.injector import Injected, Injector
from tests.chaos_tree.letters import Components, initial_state, manifest
from tests.chaos_tree.load import LOOK_S, Client, Gardener, Staff, everybody
from tests.chaos_tree.plan import DEAL_SIZE, ROOT, Plan, Planned
from theater.engine import wat
from theater.journal.sqlite.schema import close_connection, connect_reader
from theater.protocol.actors import ActorView

BRANCH: Final = Path(__file__).parent / "branch.wat"
CLIENTS: Final = 4
GROWN_S: Final = 300.0
REST_S: Final = 180.0
CALLED_OFF_S: Final = 60.0
REPLAYERS: Final = 2
SHOWN: Final = 10
LEFT: Final = """
SELECT 'message', messages.id, state, kind, name, status
    FROM messages LEFT JOIN actors ON actors.id = receiver WHERE state NOT IN ('dead', 'aside')
UNION ALL SELECT 'wait', waits.id, call, waits.number, name, status
    FROM waits LEFT JOIN actors ON actors.id = actor
UNION ALL SELECT 'call', call, seq, id, name, status
    FROM tips JOIN actors ON actors.number = tips.number WHERE call IS NOT NULL
UNION ALL SELECT 'actor', id, '', '', name, status
    FROM actors WHERE status NOT IN ('running', 'stopped', 'failed')
UNION ALL SELECT 'plan', supervisor, json_extract(kept, '$.plan'), '', '', ''
    FROM supervision WHERE json_array_length(kept, '$.plan') > 0
"""


@dataclass
class Outcome:
    """What a run left, for the verdict. Sizes are bytes."""

    plan: Plan
    data_dir: Path
    dealings: Dealings = field(default_factory=Dealings)
    injected: list[Injected] = field(default_factory=list)
    grown_s: float = 0.0
    seconds: float = 0.0
    messages: int = 0
    planted: int = 0
    openings_s: list[float] = field(default_factory=list)
    memory_bytes: int = 0
    replayed: int = 0
    replaying_s: float = 0.0
    unproven: list[str] = field(default_factory=list)


class Run:
    """Plays a plan in a folder of its own: for so many seconds, or so many deals of faults."""

    def __init__(self, plan: Plan, python: bytes, folder: Path, cache: Path) -> None:
        self._plan = plan
        self._guests = wat(BRANCH.read_text()), python
        folder.mkdir(parents=True, exist_ok=True)
        compile_for(self._guests, cache)
        self._servers = Forked(environment(cache, folder), folder / "server.log")
        self._server: Server | None = None
        self._door = Door()
        self._roster = Roster()
        self.outcome = Outcome(plan, folder / "data")
        self._caller = self._a_caller()
        self._injector = Injector(
            plan, self._a_caller(), self._roster, self._crash, folder / "injected.jsonl"
        )

    def play(self, deals: int | None, seconds: float, replays: int | None) -> Outcome:
        """Run the plan until so many deals are injected, or the time is over.

        Then all chains are replayed, or so many that the seed chooses.
        """
        staff = Staff()
        outcome = self.outcome
        try:
            self._open()
            faults = self._plan.faults()
            components = self._grow(next(faults))
            callers = [self._a_caller() for _ in range(CLIENTS)]
            clients = [
                Client(self._plan, number, caller, self._roster)
                for number, caller in enumerate(callers)
            ]
            gardener = Gardener(self._plan, components, self._a_caller(), self._roster)
            begun = time.monotonic()
            for client in clients:
                staff.employ(client.step)
            staff.employ(gardener.step, LOOK_S)
            end = begun + seconds
            chosen = itertools.takewhile(
                lambda _: time.monotonic() < end,
                itertools.islice(faults, deals and deals * DEAL_SIZE),
            )
            self._injector.play(chosen, staff.check)
            staff.dismiss(CALLED_OFF_S)
            outcome.seconds = time.monotonic() - begun
            outcome.messages = sum(client.messages for client in clients)
            outcome.planted = gardener.planted
            self._rest()
            self._replay(replays)
            self._stop()
        finally:
            outcome.injected = self._injector.injected
            self._injector.close()
            self._door.close()
            if self._server is not None:
                self._server.kill()
            self._servers.close()
        return outcome

    def _a_caller(self) -> Caller:
        return Caller(self._door, self.outcome.dealings)

    def _open(self) -> None:
        begun = time.monotonic()
        data_dir = self.outcome.data_dir
        self._server = self._servers.start(["server", "--port", "0", "--data-dir", str(data_dir)])
        address = self._server.address()
        assert address is not None, "the server did not start in time"
        self.outcome.openings_s.append(time.monotonic() - begun)
        self._door.open(address, (data_dir / "token").read_text().strip())

    def _stop(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        self._weigh(server)
        self._door.shut()
        server.stop()

    def _crash(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        self._weigh(server)
        self._door.shut()
        server.kill()
        self._open()

    def _weigh(self, server: Server) -> None:
        """Note how much memory a server has had at most."""
        for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                most = int(line.split()[1]) * 1024
                self.outcome.memory_bytes = max(self.outcome.memory_bytes, most)

    def _grow(self, first: Planned) -> Components:
        """Start the root, which starts all others, with the first fault in between, and wait until
        everybody lives.
        """
        begun = time.monotonic()
        digests = [
            self._caller.insist(lambda client, wasm=wasm: client.add_component(wasm))
            for wasm in self._guests
        ]
        components = Components(*digests)
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(self._start_root, components)
            self._injector.play([first], lambda: None)
            started.result(GROWN_S)
        self._roster.look(self._caller)
        assert everybody(self._plan, self._roster), f"{len(self._roster)} actors live"
        self.outcome.grown_s = time.monotonic() - begun
        return components

    def _start_root(self, components: Components) -> None:
        root = self._plan.members[ROOT]
        caller = self._a_caller()
        caller.insist(
            lambda client: client.start(
                manifest(root, components),
                path="/nowhere/manifest.toml",
                component=components.wat,
                name=ROOT,
                state=initial_state(self._plan, root, components),
                key="root",
            )
        )

    def _rest(self) -> None:
        """Wait until nothing is left to do: no message waits, none is in hand, nobody waits."""
        end = time.monotonic() + REST_S
        quiet = 0
        while quiet < 2:
            left = self._left()
            assert not left or time.monotonic() < end, f"no rest, left are {left[:SHOWN]}"
            quiet = 0 if left else quiet + 1
            time.sleep(0.5)

    def _replay(self, replays: int | None) -> None:
        """Have the server run chains again, those of actors that have ended too."""
        begun = time.monotonic()
        views = self._caller.insist(lambda client: client.actors(ended=True))
        chosen = sorted(views, key=lambda view: (view.name, view.started_at))
        if replays is not None:
            picked = random.Random(f"{self._plan.seed}/replays")
            chosen = picked.sample(chosen, min(replays, len(chosen)))

        def replay(view: ActorView) -> None:
            report = self._a_caller().insist(lambda client: client.replay(view.id))
            if not report.equal:
                flaw = f"{view.name} {view.id} does not replay: {report.divergence}"
                self.outcome.unproven.append(flaw)

        with ThreadPoolExecutor(REPLAYERS) as pool:
            for _ in pool.map(replay, chosen):
                self.outcome.replayed += 1
        self.outcome.replaying_s = time.monotonic() - begun

    def _left(self) -> list[tuple[object, ...]]:
        """What the journal says is left to do."""
        connection = connect_reader(self.outcome.data_dir / "journal.db", None)
        try:
            return list(connection.execute(LEFT))
        finally:
            close_connection(connection)
