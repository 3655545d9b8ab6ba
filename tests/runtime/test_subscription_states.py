"""Subscribers that come, go, stall and come back while chains grow, commit and end: any order of it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.journal.making import Maker, actor_row
from theater.journal.memory import MemoryJournal
from theater.journal.records import SetActor
from theater.runtime.feed import Feed
from theater.runtime.subscription import Subscription

ACTORS = 4
FOLLOWERS = 8


class Follower:
    """A subscriber with all that it was given, over as many subscriptions as it took."""

    def __init__(self, journal: MemoryJournal, actors: tuple[str, ...], start: int | None) -> None:
        self.actors = actors
        self.expects = {
            id_: len(list(journal.events(id_))) if start is None else start
            for id_ in actors or [actor_row(n).id for n in range(ACTORS)]
        }
        self.rings = 0
        self.seen: dict[str, list[int]] = {}
        self.open(journal, start, None)

    def open(self, journal: MemoryJournal, start: int | None, cursor: str | None) -> None:
        """Subscribe, anew over a journal that may have been opened again."""
        self.start = start
        self.subscription = Subscription(
            journal,
            Feed(journal.on_commit),
            self.actors,
            start=start,
            cursor=cursor,
            woken=self.ring,
        )

    def ring(self) -> None:
        self.rings += 1

    def take(self, journal: MemoryJournal, wanted: int | None) -> int:
        rings = self.rings
        idle = self.subscription.idle
        taken = self.subscription.take(wanted)
        assert not (idle and taken), "something came without being announced"
        assert self.rings == rings
        durable = {id_: list(journal.events(id_)) for id_ in {each.actor for each in taken}}
        for each in taken:
            assert durable[each.actor][each.event.seq] == each.event
            self.seen.setdefault(each.actor, []).append(each.event.seq)
        return len(taken)


class Subscribing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.maker = Maker()
        self.journal = MemoryJournal(on_demand=True)
        self.made = 0
        self.ended: set[int] = set()
        self.followers: list[Follower] = []

    @initialize()
    def begin(self) -> None:
        """Two actors, and subscribers of every kind from the first step on."""
        for events in (1, 3):
            self.start_an_actor(events)
        one, two = actor_row(0).id, actor_row(1).id
        for actors, start in (((one,), 0), ((two, one), 2), ((), 0), ((), None)):
            self.followers.append(Follower(self.journal, actors, start))

    @precondition(lambda self: self.made < ACTORS)
    @rule(events=st.integers(0, 5))
    def start_an_actor(self, events: int) -> None:
        self.journal.append((self.maker.actor(self.made),))
        for _ in range(events):
            self.journal.append((self.maker.event(actor_row(self.made).id),))
        self.made += 1
        self.journal.commit()

    @precondition(lambda self: self.made)
    @rule(
        number=st.integers(0, ACTORS - 1),
        events=st.integers(1, 20) | st.just(270),
        commit=st.booleans(),
    )
    def record(self, number: int, events: int, commit: bool) -> None:
        if number < self.made and number not in self.ended:
            for _ in range(events):
                self.journal.append((self.maker.event(actor_row(number).id),))
        if commit:
            self.journal.commit()

    @rule()
    def commit(self) -> None:
        self.journal.commit()

    @precondition(lambda self: self.made)
    @rule(number=st.integers(0, ACTORS - 1))
    def end_an_actor(self, number: int) -> None:
        if number < self.made and number not in self.ended:
            id_ = actor_row(number).id
            self.journal.append((self.maker.event(id_), SetActor(id_, status="stopped")))
            self.ended.add(number)

    @precondition(lambda self: self.made)
    @rule(
        numbers=st.sets(st.integers(0, ACTORS - 1)),
        start=st.none() | st.sampled_from([0, 0, 1, 4, 1000]),
    )
    def subscribe(self, numbers: set[int], start: int | None) -> None:
        known = tuple(actor_row(number).id for number in sorted(numbers) if number < self.made)
        if len(self.followers) < FOLLOWERS:
            self.followers.append(Follower(self.journal, known, start))

    @precondition(lambda self: self.followers)
    @rule(paces=st.lists(st.none() | st.integers(0, 9), min_size=FOLLOWERS, max_size=FOLLOWERS))
    def take(self, paces: list[int | None]) -> None:
        for follower, wanted in zip(self.followers, paces, strict=False):
            if wanted != 0:
                follower.take(self.journal, wanted)

    @rule()
    def take_all(self) -> None:
        for follower in self.followers:
            while not follower.subscription.idle and not follower.subscription.over():
                follower.take(self.journal, None)

    @precondition(lambda self: self.followers)
    @rule(which=st.integers(0, FOLLOWERS - 1))
    def come_back(self, which: int) -> None:
        follower = self.followers[which % len(self.followers)]
        cursor = follower.subscription.cursor
        follower.subscription.close()
        follower.open(self.journal, follower.start, cursor)

    @rule()
    def restart(self) -> None:
        """What was not committed is lost, and nobody was given it."""
        self.journal = self.journal.reopened()
        self.maker = Maker()
        for number in range(self.made):
            row = self.journal.actor(actor_row(number).id)
            assert row is not None
            self.maker.tips[row.id] = row.tip
        self.ended = {
            number
            for number in range(self.made)
            if (row := self.journal.actor(actor_row(number).id)) and row.status == "stopped"
        }
        for follower in self.followers:
            cursor = follower.subscription.cursor
            follower.open(self.journal, follower.start, cursor)

    @invariant()
    def all_is_seen_once_and_in_order(self) -> None:
        for follower in self.followers:
            for id_, seqs in follower.seen.items():
                first = follower.expects[id_]
                assert seqs == list(range(first, first + len(seqs)))

    def teardown(self) -> None:
        self.journal.commit()
        for follower in self.followers:
            while not follower.subscription.idle and not follower.subscription.over():
                follower.take(self.journal, None)
            for id_, first in follower.expects.items():
                last = len(list(self.journal.events(id_)))
                assert follower.seen.get(id_, []) == list(range(first, last))
            if follower.actors:
                ended = all(
                    self.journal.actor(id_).status == "stopped"  # type: ignore[union-attr]
                    for id_ in follower.actors
                )
                assert follower.subscription.over() == ended


TestSubscribing = Subscribing.TestCase
TestSubscribing.settings = settings(deadline=None, max_examples=50, stateful_step_count=40)
