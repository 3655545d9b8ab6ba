"""Actors that open, use and close channels all at once, in an order that a seed decides.

Whatever happens meanwhile, each side of a channel hears what the other one was told that it had sent,
once and in order, and of the end once, if there was one.
"""

from __future__ import annotations

import random
from collections import defaultdict
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest

from tests.runtime.actors import WAIT_S, Theater, until
from tests.runtime.test_channels import lines
from theater.errors import ActorFailed
from theater.runtime.info import ActorInfo

ACTORS = 4
ROUNDS = 6
OPS = 40


@dataclass
class World:
    """What was asked of the actors, and what they were told."""

    stage: Theater
    chance: random.Random
    actors: list[ActorInfo]
    channels: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    closed: set[bytes] = field(default_factory=set)
    sent: dict[tuple[bytes, int], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0

    def play_a_round(self) -> None:
        asked: list[tuple[str, int, bytes, bytes, Future[bytes]]] = []
        for _ in range(OPS):
            actor = self.chance.randrange(len(self.actors))
            own = sorted(each for each, ends in self.channels.items() if actor in ends)
            what = self.chance.choice("ooo" + "s" * 30 + "cc") if own else "o"
            if what == "o":
                # Only one way round, so that nobody waits for whom it keeps waiting.
                other = self.chance.randrange(len(self.actors))
                if other <= actor:
                    continue
                target, body = self.actors[other].id.encode(), b""
            else:
                target = self.chance.choice(own)
                self.count += 1
                body = b"%d" % self.count if what == "s" else b""
            future = self.stage.node.request(self.actors[actor].id, what.encode() + target + body)
            asked.append((what, actor, target, body, future))
        for what, actor, target, body, future in asked:
            self.take_down(what, actor, target, body, future)

    def take_down(
        self, what: str, actor: int, target: bytes, body: bytes, future: Future[bytes]
    ) -> None:
        error = future.exception(WAIT_S)
        if error is not None:
            assert isinstance(error, ActorFailed)
            assert error.message.startswith("channel.closed: ")
            assert target in self.channels
            return
        answer = future.result()
        if what == "o":
            other = next(n for n, each in enumerate(self.actors) if each.id.encode() == target)
            assert answer not in self.channels
            self.channels[answer] = (actor, other)
        elif what == "s":
            self.sent[target, actor].append(body)
        else:
            assert target not in self.closed, "closed twice"
            self.closed.add(target)

    def expected(self, actor: int) -> dict[bytes, list[bytes]]:
        """What an actor has written down in the end, by channel."""
        found: dict[bytes, list[bytes]] = {}
        for channel, (opener, acceptor) in self.channels.items():
            if actor in (opener, acceptor):
                other = acceptor if actor == opener else opener
                opened = [b"o"] if actor == acceptor else []
                heard = [b"m" + body for body in self.sent[channel, other]]
                found[channel] = opened + heard + [b"x"] * (channel in self.closed)
        return {channel: told for channel, told in found.items() if told}

    def written(self, actor: int) -> dict[bytes, list[bytes]]:
        found: dict[bytes, list[bytes]] = defaultdict(list)
        for line in lines(self.stage, self.actors[actor]):
            found[line[1:20]].append(line[:1] + line[20:])
        return dict(found)

    def agrees(self) -> bool:
        return all(self.written(n) == self.expected(n) for n in range(len(self.actors)))


@pytest.mark.parametrize("seed", range(3))
def test_each_side_hears_what_the_other_one_sent_once_and_in_order(
    stage: Theater, seed: int
) -> None:
    chance = random.Random(seed)
    world = World(stage, chance, [stage.start("channels") for _ in range(ACTORS)])
    for _ in range(ROUNDS):
        world.play_a_round()
        match chance.choice(["reopen", "passivate", "renew"]):
            case "reopen":
                stage.reopen()
            case "passivate":
                for each in world.actors:
                    stage.node.passivate(each.id)
            case _:
                chosen = chance.choice(world.actors)
                stage.node.restart(chosen.id, keep_state=True).result(WAIT_S)
    until(world.agrees, stage.node)
    still = {each.id.encode() for each in stage.node.journal.channels()}
    assert still == set(world.channels) - world.closed
    assert len(world.closed) > 2
    assert sum(map(len, world.sent.values())) > OPS
    assert not stage.node.journal.messages()
    for actor in world.actors:
        stage.prove(actor)
