"""One run of the kill test: actors, clients, a gate, and a server that is killed again and again.

The seed decides what the clients ask, how long the gate takes, and the moment of each kill; where in
the server's code that moment falls is the scheduler's choice.
"""

from __future__ import annotations

import fcntl
import random
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from tests.chaos.coroner import (
    Coroner,
    Finding,
    deaths_are_counted,
    suspects_wait,
)
from tests.chaos.gate import Gate
from tests.chaos.patrons import PLAIN, Abandoned, Cast, Door, Patron, Round
from tests.chaos.servers import Executed, Forked, Server, Servers, environment
from tests.chaos.tally import Tally
from tests.runtime.actors import guest
from theater.chain import shapes
from theater.engine import Engine
from theater.errors import Unavailable

Policy = Literal["retry", "fail"]

PATRONS = 3
MOMENT_S = 5.0
FINISH_S = 180.0
COMES_AGAIN_S = 5.0
PROGRESS_S = 60.0

# The moments at which a server is killed, with their weights.
MOMENTS = {
    "while it starts": 16,
    "as soon as it answers": 16,
    "after some time": 12,
    "when a POST comes": 22,
    "when a POST was answered": 12,
    "when a message was acknowledged": 14,
    "when nobody asks for anything": 8,
    "while it stops": 6,
}


@dataclass(frozen=True)
class Plan:
    """What to run. `operations` are how many each client does, None for as many as the kills take."""

    seed: int
    kills: int
    policy: Policy
    courier: bytes
    operations: tuple[int, ...] | None = None
    executed: bool = False


@dataclass
class Outcome:
    """What a run left, for the verdict."""

    plan: Plan
    data_dir: Path
    gate: Gate
    names: dict[str, str] = field(default_factory=dict)
    patrons: list[Patron] = field(default_factory=list)
    operations: tuple[int, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    classes: list[frozenset[str]] = field(default_factory=list)
    coroner: Coroner | None = None
    proofs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Run:
    """Plays a plan in a folder of its own."""

    def __init__(self, plan: Plan, folder: Path, cache: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._random = random.Random(f"{plan.seed}/kills")
        self._tally = Tally()
        self._door = Door()
        self._enough = threading.Event()
        self._quiet = threading.Event()
        self._parked = threading.Semaphore(0)
        self._go_on = threading.Event()
        self._failure: BaseException | None = None
        self._starts: list[float] = []
        folder.mkdir(parents=True, exist_ok=True)
        compile_for((guest("counter"), guest("relay"), plan.courier), cache)
        kind: type[Executed] | type[Forked] = Executed if plan.executed else Forked
        self._servers: Servers = kind(environment(cache, folder), folder / "server.log")
        self._gate = Gate(plan.seed, self._tally)
        data_dir = folder / "data"
        self.outcome = Outcome(plan, data_dir, self._gate)
        self._coroner = self.outcome.coroner = Coroner(data_dir, folder / "copy")

    def play(self) -> Outcome:
        """Run the plan to its end."""
        begun = time.monotonic()
        stage = threading.Thread(target=self._guarded, args=(self._stage,), daemon=True)
        stage.start()
        server: Server | None = None
        try:
            pending: Finding | None = None
            for _ in range(self._plan.kills):
                server = self._start()
                self._wait_and_kill(server, pending)
                server = None
                self._check()
                pending = self._examine()
            self._enough.set()
            server = self._start()
            self._publish(server)
            stage.join(FINISH_S)
            self._check()
            assert not stage.is_alive(), "the clients did not finish"
            self._prove()
            server.stop()
            server = None
        finally:
            self._tally.break_off()
            self._enough.set()
            self._go_on.set()
            self._door.close()
            if server is not None:
                server.kill()
            self._servers.close()
            self._gate.close()
        self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    # The killer

    def _start(self) -> Server:
        data_dir = str(self.outcome.data_dir)
        self._begun = time.monotonic()
        return self._servers.start(["server", "--port", "0", "--data-dir", data_dir])

    def _publish(self, server: Server) -> None:
        address = server.address()
        assert address is not None, "the server did not start in time"
        self._starts.append(time.monotonic() - self._begun)
        token = (self.outcome.data_dir / "token").read_text().strip()
        self._door.open(address, token)

    def _wait_and_kill(self, server: Server, pending: Finding | None) -> None:
        """Kill a server at a moment of the seed's choice."""
        chosen = self._random
        moment = chosen.choices(list(MOMENTS), list(MOMENTS.values()))[0]
        delay, count = chosen.random(), chosen.randint(1, 5)
        computing: Mapping[str, int] = {} if pending is None else pending.computing
        suspects = pending is not None and pending.suspects
        hit: frozenset[str] = frozenset()
        try:
            if moment == "while it starts" and self._starts and not computing and not suspects:
                most = 1.1 * statistics.median(self._starts)
                if server.address(delay * most) is None:
                    hit = frozenset({"starting"})
                return
            self._publish(server)
            self._await_progress(computing)
            if suspects:
                self._await_acquittal()
            if moment == "as soon as it answers":
                time.sleep(delay * 0.1)
            elif moment == "after some time":
                time.sleep(delay * 0.5)
            elif moment == "when a POST comes":
                self._tally.wait("arrived", count, MOMENT_S)
                time.sleep(delay * 0.005)
            elif moment == "when a POST was answered":
                self._tally.wait("answered", count, MOMENT_S)
                time.sleep(delay * 0.003)
            elif moment == "when a message was acknowledged":
                self._tally.wait("acked", count, MOMENT_S)
                time.sleep(max(0.0, delay - 0.5) * 0.01)
            elif moment == "when nobody asks for anything":
                self._hush()
            elif moment == "while it stops":
                time.sleep(delay * 0.3)
                server.ask_to_stop()
                time.sleep(delay * 0.1)
                hit = frozenset({"stopping"})
        finally:
            server.kill()
            self._door.shut()
            self._quiet.clear()
            self._go_on.set()
            self.outcome.classes.append(hit)

    def _await_progress(self, computing: Mapping[str, int]) -> None:
        """Wait until the actors that were cut off in guest code have recorded something new.

        A second death in the same stretch of guest code is the guest's own fault as far as a node
        can tell: it sets the message aside, as it should, and nothing more could be compared.
        """
        client = self._door.client()
        end = time.monotonic() + PROGRESS_S
        for actor, length in computing.items():
            while not any(
                shapes.is_course(event.event_type) for event in client.events(actor, start=length)
            ):
                assert time.monotonic() < end, f"actor {actor} was not taken up"
                self._check()
                time.sleep(0.002)

    def _await_acquittal(self) -> None:
        """Wait until the calls that were cut off before they were on disk have been run again.

        Those that don't come again (their sender's chain went another way) are waited for a little.
        """
        end = time.monotonic() + PROGRESS_S
        little = time.monotonic() + COMES_AGAIN_S
        data_dir = self.outcome.data_dir
        while deaths_are_counted(data_dir) or (
            suspects_wait(data_dir) and time.monotonic() < little
        ):
            assert time.monotonic() < end, "a call that was cut off was not run again"
            self._check()
            time.sleep(0.005)

    def _hush(self) -> None:
        """Have every client finish what it does, and wait for that."""
        self._go_on.clear()
        self._quiet.set()
        end = time.monotonic() + MOMENT_S
        for _ in self.outcome.patrons:
            if not self._parked.acquire(timeout=max(0.0, end - time.monotonic())):
                return

    def _examine(self) -> Finding:
        finding = self._coroner.examine()
        self.outcome.findings.append(finding)
        self.outcome.classes[-1] |= finding.classes
        self._gate.kills += 1
        return finding

    # The clients

    def _stage(self) -> None:
        steward = self._patron("steward")
        casts = self._cast(steward)
        rounds = [
            Round(
                self._plan.seed,
                self._patron(f"p{number}"),
                cast,
                # With `fail` one POST at a time: a kill then interrupts at most one.
                posts=self._plan.policy == "retry" or number == 0,
            )
            for number, cast in enumerate(casts)
        ]
        threads = [
            threading.Thread(
                target=self._guarded, args=(lambda n=n, r=r: self._live(n, r),), daemon=True
            )
            for n, r in enumerate(rounds)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.outcome.operations = tuple(each.operations for each in rounds)
        # Whatever was sent on is behind these in the mailboxes.
        for cast in casts:
            steward.request(f"last-{cast.courier}", cast.relay, b"last")
        steward.request("last", casts[0].ledger, b"last")

    def _live(self, number: int, round_: Round) -> None:
        planned = self._plan.operations
        while round_.operations < planned[number] if planned else not self._enough.is_set():
            if self._quiet.is_set():
                round_.rest()
                self._parked.release()
                self._go_on.wait()
            round_.step()
        round_.rest()

    def _patron(self, name: str) -> Patron:
        path = self._folder / f"{name}.told"
        patron = Patron(name, self._door, self._tally, path)
        self.outcome.patrons.append(patron)
        return patron

    def _cast(self, steward: Patron) -> list[Cast]:
        """Start the actors; kills come from the first moment on."""
        names = self.outcome.names

        def start(name: str, wasm: bytes, manifest: str, state: object = None) -> str:
            actor = steward.start(
                f"start-{name.replace(chr(32), chr(45))}", wasm, name, manifest, state
            )
            names[actor] = name
            return actor

        courier = self._plan.courier
        manifest = partial(courier_manifest, self._plan.policy)
        ledger = start("ledger", guest("counter"), PLAIN)
        echo = start("echo", guest("relay"), PLAIN)
        relay = start("relay", guest("relay"), PLAIN, ledger.encode())
        clerk = start("clerk", courier, manifest(64), {"gate": self._gate.address})
        casts = []
        for number in range(PATRONS):
            teller = start(f"teller {number}", guest("counter"), PLAIN)
            asks = start(f"relay {number}", guest("relay"), PLAIN, teller.encode())
            fields = {"gate": self._gate.address, "ledger": ledger, "relay": asks}
            if number != 1:
                fields["clerk"] = clerk
            carries = start(f"courier {number}", courier, manifest((64, 3, 1)[number]), fields)
            casts.append(Cast(carries, relay, echo, ledger))
        return casts

    def _prove(self) -> None:
        """Have the last server verify and replay every chain."""
        client = self._door.client()
        for view in client.actors(ended=True):
            report = client.verify(view.id)
            replay = client.replay(view.id)
            flaw = report.problem or replay.divergence
            if flaw is not None or not replay.equal:
                self.outcome.proofs[view.name] = f"{report} {replay}"

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Abandoned:
            pass
        except BaseException as error:
            self._failure = self._failure or error
            self._tally.break_off()
            self._door.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure


def courier_manifest(policy: Policy, instance_calls: int) -> str:
    """The manifest of a courier whose interrupted POSTs are made again, or fail."""
    return f"""
name = "courier"
component = "courier.wasm"
[limits]
instance_calls = {instance_calls}
[[handler]]
type = "message-server"
[[handler]]
type = "context"
[[handler]]
type = "store"
[[handler]]
type = "http-client"
allowed_hosts = ["127.0.0.1:*"]
allow_private = true
{policy} = ["POST 127.0.0.1:*/stamp"]
"""


def compile_for(components: Sequence[bytes], cache: Path) -> None:
    """Compile what the actors run where the servers look for it; no server lives long enough."""
    with (cache / "chaos.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = Engine(cache / "theater" / "components")
        for component in components:
            engine.load(component)
        engine.close()


def play(plan: Plan, folder: Path, cache: Path) -> Outcome:
    """Run a plan."""
    try:
        return Run(plan, folder, cache).play()
    except Unavailable as error:
        raise AssertionError(f"a server could not be reached: {error}") from error
