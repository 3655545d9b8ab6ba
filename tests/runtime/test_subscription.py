"""Subscriptions in the process: history and live without a gap or a double, at any pace."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journal.making import Maker, actor_row
from tests.runtime.actors import WAIT_S, Theater
from theater.errors import NotFound, Unavailable, UsageError
from theater.journal.memory import MemoryJournal
from theater.limits import EVENT_DATA_BYTES_MAX, SUBSCRIPTION_ACTORS_MAX, SUBSCRIPTION_BYTES
from theater.runtime.feed import Feed
from theater.runtime.subscription import Subscription, Taken

A, B = actor_row(0).id, actor_row(1).id


def over(journal: MemoryJournal, *actors: str, **asked: object) -> Subscription:
    return Subscription(journal, Feed(journal.on_commit), actors, **asked)  # type: ignore[arg-type]


def drained(subscription: Subscription) -> list[Taken]:
    taken: list[Taken] = []
    while not subscription.idle and not subscription.over():
        taken += subscription.take()
    return taken


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def journal(maker: Maker) -> MemoryJournal:
    made = MemoryJournal(on_demand=True)
    for number in range(2):
        made.append((maker.actor(number),))
        made.append((maker.event(actor_row(number).id),))
    made.commit()
    return made


def test_what_is_not_on_disk_is_not_given(journal: MemoryJournal, maker: Maker) -> None:
    subscription = over(journal, A)
    before = len(drained(subscription))
    journal.append((maker.event(A),))
    assert drained(subscription) == []
    journal.commit()
    assert len(drained(subscription)) == 1
    assert before == len(list(journal.events(A))) - 1


def test_a_subscription_to_all_has_new_actors_from_their_first_event_on(
    journal: MemoryJournal, maker: Maker
) -> None:
    subscription = over(journal, start=None)
    assert drained(subscription) == []
    journal.append((maker.actor(2),))
    journal.append((maker.event(actor_row(2).id),))
    journal.append((maker.event(A),))
    journal.commit()
    assert [(each.actor, each.event) for each in drained(subscription)] == [
        *((actor_row(2).id, event) for event in journal.events(actor_row(2).id)),
        (A, list(journal.events(A))[-1]),
    ]


@pytest.mark.parametrize("actors", [(A,), (A, B), ()])
def test_a_cursor_goes_on_behind_any_event(
    journal: MemoryJournal, maker: Maker, actors: tuple[str, ...]
) -> None:
    for n in range(700):
        journal.append((maker.event((A, B)[n % 2]),))
    journal.commit()
    whole = drained(over(journal, *actors))
    assert len(whole) == sum(len(list(journal.events(a))) for a in actors or (A, B))
    for at in (0, 1, 300, len(whole) - 1):
        rest = drained(over(journal, *actors, cursor=whole[at].cursor))
        seen = [(each.actor, each.event.seq) for each in (*whole[: at + 1], *rest)]
        assert sorted(seen) == sorted((each.actor, each.event.seq) for each in whole)


def test_types_are_chosen_by_a_pattern(journal: MemoryJournal, maker: Maker) -> None:
    for name in ("wasm-call", "theater:simple/runtime/log", "wasm-result"):
        journal.append((maker.event(A, b"", name),))
    journal.commit()
    found = drained(over(journal, A, type="wasm-*"))
    assert [each.event.type for each in found] == ["wasm-call", "wasm-result"]


def test_without_following_it_ends_where_the_chain_ended_when_it_began(
    journal: MemoryJournal, maker: Maker
) -> None:
    for actors in ((A,), ()):
        subscription = over(journal, *actors, follow=False)
        until = sum(len(list(journal.events(a))) for a in actors or (A, B))
        for _ in range(5):
            journal.append((maker.event(A),))
        journal.commit()
        assert len(list(subscription)) == until


def test_at_most_a_bounded_piece_is_held(journal: MemoryJournal, maker: Maker) -> None:
    for _ in range(40):
        journal.append((maker.event(A, bytes(EVENT_DATA_BYTES_MAX - 100)),))
    journal.commit()
    subscription = over(journal, A)
    while not subscription.idle:
        held = sum(len(each.event.data or b"") for each in subscription.take())
        assert held < SUBSCRIPTION_BYTES + EVENT_DATA_BYTES_MAX


@pytest.mark.parametrize(
    ("actors", "asked", "code"),
    [
        ((A, A), {}, "subscription.actors"),
        ([actor_row(n).id for n in range(SUBSCRIPTION_ACTORS_MAX + 1)], {}, "subscription.actors"),
        ((A,), {"start": -1}, "subscription.start"),
        ((A,), {"start": 1 << 64}, "subscription.start"),
        ((A,), {"type": "x" * 256}, "subscription.type"),
        ((A,), {"cursor": "1.2"}, "subscription.cursor"),
        ((A, B), {"cursor": "1"}, "subscription.cursor"),
        ((), {"cursor": "999"}, "subscription.cursor"),
        ((), {"cursor": "-1"}, "subscription.cursor"),
        ((), {"cursor": "9" * 19}, "subscription.cursor"),
        ((), {"cursor": ""}, "subscription.cursor"),
    ],
)
def test_what_makes_no_sense_is_refused(
    journal: MemoryJournal, actors: tuple[str, ...], asked: dict[str, object], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        over(journal, *actors, **asked)
    assert caught.value.code == code


def test_nobody_can_subscribe_to_an_actor_that_never_was(journal: MemoryJournal) -> None:
    with pytest.raises(NotFound):
        over(journal, "nobody")


def test_a_subscription_that_is_closed_ends_for_who_waits_on_it(journal: MemoryJournal) -> None:
    subscription = over(journal, A)
    with ThreadPoolExecutor(1) as threads:
        taken = threads.submit(list, subscription)
        journal_has = len(list(journal.events(A)))
        subscription.close()
        assert len(taken.result(WAIT_S)) <= journal_has


def test_subscribers_at_any_pace_see_every_event_once(stage: Theater) -> None:
    actor = stage.start("counter")
    other = stage.start("counter")
    seeds = random.Random(7)

    def follow(seed: int) -> list[tuple[str, int, bytes]]:
        pace = random.Random(seed)
        start = pace.choice([0, 0, 3, 17])
        named = pace.choice([[actor.id], [actor.id, other.id], [other.id, actor.id]])
        seen: list[tuple[str, int, bytes]] = []
        cursor = None
        while True:
            # Now and then it leaves and comes back behind what it saw.
            with stage.node.subscribe(named, start=start, cursor=cursor) as subscription:
                left = pace.randrange(1, 120)
                for each in subscription:
                    seen.append((each.actor, each.event.seq, each.event.hash))
                    cursor = each.cursor
                    if (left := left - 1) == 0:
                        break
                else:
                    expected = [
                        (id_, event.seq, event.hash)
                        for id_ in named
                        for event in stage.node.events(id_, start)
                    ]
                    assert sorted(seen) == sorted(expected)
                    for id_ in named:
                        seqs = [seq for its, seq, _ in seen if its == id_]
                        assert seqs == sorted(seqs)
                    return seen

    with ThreadPoolExecutor(12) as threads:
        followers = [threads.submit(follow, seeds.randrange(1 << 30)) for _ in range(12)]
        for n in range(300):
            stage.node.send((actor if n % 3 else other).id, b"x")
            if n % 60 == 0:
                stage.node.passivate(actor.id)
        stage.ask(actor, b"last")
        stage.ask(other, b"last")
        stage.node.stop(actor.id).result(WAIT_S)
        stage.node.stop(other.id).result(WAIT_S)
        for follower in followers:
            assert follower.result(WAIT_S)


def test_a_subscription_can_be_awaited(stage: Theater) -> None:
    actor = stage.start("counter")

    async def main() -> list[int]:
        subscription = stage.node.subscribe([actor.id])
        seen: list[int] = []
        async for each in subscription:
            seen.append(each.event.seq)
            if len(seen) == 4:
                stage.node.send(actor.id, b"x")
                stage.node.stop(actor.id)
        return seen

    assert asyncio.run(main()) == list(range(stage.node.info(actor.id).events))


def test_whoever_follows_is_told_when_the_node_closes(stage: Theater) -> None:
    actor = stage.start("counter")
    begun = threading.Event()

    def follow() -> None:
        for _ in stage.node.subscribe([actor.id]):
            begun.set()

    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(follow)
        assert begun.wait(WAIT_S)
        stage.node.close()
        error = following.exception(WAIT_S)
    assert isinstance(error, Unavailable)
    assert error.code == "node.closing"


def test_a_subscription_goes_on_after_a_restart(stage: Theater, tmp_path: Path) -> None:
    actor = stage.start("counter")
    stage.ask(actor, b"x")
    with stage.node.subscribe([actor.id]) as subscription:
        seen = [each.event.seq for each in subscription.take()]
        cursor = subscription.cursor
    with stage.node.subscribe() as everything:
        all_seen = everything.take()
    stage.reopen()
    stage.ask(actor, b"x")
    stage.node.stop(actor.id).result(WAIT_S)
    seen += [each.event.seq for each in stage.node.subscribe([actor.id], cursor=cursor)]
    assert seen == list(range(stage.node.info(actor.id).events))
    rest = stage.node.subscribe(cursor=all_seen[-1].cursor, follow=False)
    assert [each.event.seq for each in (*all_seen, *rest)] == seen
