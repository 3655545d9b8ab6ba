"""Many threads at once: every call has its own outcome, and nobody else's."""

from __future__ import annotations

import random
import threading

from tests.engine.guests import SEND, Host
from theater.engine import Ended, GuestError, GuestTrap, Returned, live_instances

THREADS = 4
CALLS = 250


def test_calls_in_four_threads_with_traps_and_errors_do_not_mix(guest):
    counter, traps, loop = guest("counter"), guest("trap"), guest("loop")
    failures: list[str] = []
    before = live_instances()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        instance = counter.instance()
        number = 0
        for step in range(CALLS):
            mine = f"{seed}-{step}"
            error = ValueError(mine)

            def serve(function, arguments, give, mine=mine, error=error):
                if arguments != (mine,) and arguments != ("fail",):
                    failures.append(f"{mine} saw {arguments}")
                if chance.random() < 0.2:
                    raise chance.choice([error, GuestTrap("denied", mine)])

            chosen = chance.random()
            if chosen < 0.1:
                ended = traps.instance().call(SEND, [None, (b"u",)], Host(), 5_000)
                if not isinstance(ended, Ended) or (ended.code, ended.cause) != (
                    "unreachable",
                    None,
                ):
                    failures.append(f"{mine} trapped as {ended}")
                continue
            if chosen < 0.12:
                ended = loop.instance().call(SEND, [None, (b"",)], Host(), 20)
                if not isinstance(ended, Ended) or ended.kind != "deadline":
                    failures.append(f"{mine} looped to {ended}")
                continue
            body = b"fail" if chosen < 0.2 else mine.encode()
            outcome = instance.call(SEND, [str(number).encode(), (body,)], Host(serve), 5_000)
            match outcome:
                case Returned(state):
                    number += 1
                    if state != str(number).encode():
                        failures.append(f"{mine} got {state!r} for {number}")
                case GuestError():
                    if body != b"fail":
                        failures.append(f"{mine} failed")
                case Ended("trap", "denied", detail):
                    if detail != mine:
                        failures.append(f"{mine} got the trap of {detail}")
                case Ended("host", None, _, cause):
                    if cause is not error:
                        failures.append(f"{mine} got {cause!r}")
                case _:
                    failures.append(f"{mine} ended as {outcome}")
            if instance.dead:
                instance = counter.instance()
        instance.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []
    assert live_instances() == before


def test_only_the_killed_instance_ends(guest):
    component = guest("loop")
    instances = [component.instance() for _ in range(3)]
    outcomes: dict[int, object] = {}

    def work(index: int) -> None:
        outcomes[index] = instances[index].call(SEND, [None, (b"",)], Host(), 600)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    instances[1].kill()
    for thread in threads:
        thread.join(30)
    assert [outcomes[index].kind for index in range(3)] == ["deadline", "killed", "deadline"]
