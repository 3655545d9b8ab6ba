"""What must be true after a run, whatever was killed when."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256

from tests.chaos.coroner import POST, Chain, every_actor, read_on
from tests.chaos.patrons import Told, spread
from tests.chaos.run import Outcome
from theater.chain import shapes
from theater.journal.sqlite import SqliteJournal

INTERRUPTED = b"interrupted"
CONTENTS = "contents"
STAMP = re.compile(rb"\b(interrupted|[0-9a-f]{12})\b")


@dataclass(frozen=True)
class Left:
    """How an actor ended up, with every id replaced by the name of what it means."""

    status: str
    state: bytes | None
    stores: dict[str, list[str]]


@dataclass
class Verdict:
    """What was found; `faults` is empty if all is as it must be."""

    messages: int = 0
    acknowledged: int = 0
    posts: int = 0
    repeated: int = 0
    interrupted: int = 0
    events: int = 0
    actors: int = 0
    faults: list[str] = field(default_factory=list)
    left: dict[str, Left] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)

    def without_stamps(self) -> Verdict:
        """The same with what the gate answered, or that it did not, taken out."""
        left = {
            name: Left(
                each.status,
                None if each.state is None else STAMP.sub(b"*", each.state),
                {
                    label: [str(len(refs))]
                    for label, refs in each.stores.items()
                    if label != CONTENTS  # the same word twice is one content, two stamps are two
                },
            )
            for name, each in self.left.items()
        }
        answers = {
            key: STAMP.sub(b"*", bytes.fromhex(answer)).hex()
            for key, answer in self.answers.items()
        }
        return Verdict(left=left, answers=answers)

    def expect(self, condition: bool, fault: str) -> None:
        if not condition:
            self.faults.append(fault)


def judge(outcome: Outcome) -> Verdict:
    """Look at everything that a run left on disk, and at what left the node."""
    verdict = Verdict()
    journal = SqliteJournal.open(outcome.data_dir)
    try:
        coroner = outcome.coroner
        assert coroner is not None
        for row in every_actor(journal):
            chain = coroner.chains.setdefault(row.id, Chain(row))
            read_on(journal, chain)
            chain.row = row
        chains = coroner.chains
        verdict.actors = len(chains)
        verdict.events = sum(len(chain.events) for chain in chains.values())
        told = [line for patron in outcome.patrons for line in spread(patron.path)]
        _nothing_is_left_to_do(verdict, journal, chains)
        _every_message_is_handled_once(verdict, journal, chains, told)
        _nothing_answered_is_posted_again(verdict, outcome, chains)
        for name, flaw in outcome.proofs.items():
            verdict.faults.append(f"{name} is not proven: {flaw}")
        if outcome.plan.policy == "fail":
            _each_kill_interrupts_at_most_one(verdict, outcome, chains)
        names = {**outcome.names}
        for line in told:
            if line.what == "start":
                names[line.actor] = line.answer
        names[outcome.gate.address] = "gate"
        _collect(verdict, journal, chains, names, told)
    finally:
        journal.close()
    return verdict


def compare(verdict: Verdict, undisturbed: Verdict, *, stamps: bool = True) -> list[str]:
    """How a run's end differs from that of one that was not disturbed.

    Without `stamps` an interrupted POST is as good as one that was answered.
    """
    differences = []
    mine, other = (each if stamps else each.without_stamps() for each in (verdict, undisturbed))
    for name in sorted(mine.left.keys() | other.left.keys()):
        left, right = mine.left.get(name), other.left.get(name)
        if left != right:
            differences.append(f"{name}: {_brief(left)} instead of {_brief(right)}")
    for key in sorted(mine.answers.keys() | other.answers.keys()):
        if mine.answers.get(key) != other.answers.get(key):
            differences.append(f"the answer to {key} differs")
    return differences


def _brief(left: Left | None) -> str:
    if left is None:
        return "nothing"
    state = (left.state or b"")[-300:]
    return f"{left.status} {state!r} {sum(map(len, left.stores.values()))} stored"


def _nothing_is_left_to_do(
    verdict: Verdict, journal: SqliteJournal, chains: dict[str, Chain]
) -> None:
    for message in journal.messages():
        verdict.faults.append(f"{message.id} is left, {message.state}: {message.reason}")
    verdict.expect(not journal.waits(), "waits are left open")
    for chain in chains.values():
        name = chain.row.name
        verdict.expect(chain.open is None, f"a call of {name} is left open")
        verdict.expect(chain.row.deaths == 0, f"{name} still counts deaths")
        expected = "stopped" if name.startswith("visitor") else "running"
        verdict.expect(chain.row.status == expected, f"{name} is {chain.row.status}")
        for call in chain.calls:
            if isinstance(call.end, shapes.Error):
                verdict.faults.append(f"a call of {name} ended badly: {call.end}")


def _every_message_is_handled_once(
    verdict: Verdict, journal: SqliteJournal, chains: dict[str, Chain], told: list[Told]
) -> None:
    handled: Counter[str] = Counter()
    for chain in chains.values():
        handled.update(chain.handled())
    expected: Counter[str] = Counter(id_ for chain in chains.values() for id_ in chain.sent())
    for line in told:
        if line.what not in ("send", "request"):
            continue
        verdict.acknowledged += 1
        kept = journal.key(line.key)
        if kept is None:
            verdict.faults.append(f"the key {line.key} was forgotten")
            continue
        expected[kept.message] += 1
        if line.what == "send":
            verdict.expect(kept.message == line.answer, f"{line.key} is another message now")
        else:
            same = kept.answer is not None and kept.answer.body.hex() == line.answer
            verdict.expect(same, f"{line.key} has another answer now")
        by = Counter(chains[line.actor].handled())[kept.message]
        verdict.expect(by == 1, f"{line.key} was handled {by} times by its receiver")
    verdict.messages = sum(handled.values())
    for id_ in handled.keys() | expected.keys():
        verdict.expect(
            handled[id_] == expected[id_] == 1,
            f"message {id_} was sent {expected[id_]} times and handled {handled[id_]} times",
        )


def _nothing_answered_is_posted_again(
    verdict: Verdict, outcome: Outcome, chains: dict[str, Chain]
) -> None:
    seen: dict[str, tuple[bytes, int]] = {}
    for arrival in outcome.gate.arrivals:
        verdict.posts += 1
        before = seen.get(arrival.key)
        seen[arrival.key] = (arrival.body, arrival.kills)
        if before is None:
            continue
        verdict.repeated += 1
        last = outcome.findings[arrival.kills - 1]
        verdict.expect(before[0] == arrival.body, f"{arrival.key} came with another body")
        verdict.expect(before[1] < arrival.kills, f"{arrival.key} came twice from one server")
        verdict.expect(arrival.key not in last.answered, f"{arrival.key} was answered and recorded")
        verdict.expect(arrival.key in last.open, f"{arrival.key} came again and was not in flight")
        verdict.expect(outcome.plan.policy == "retry", f"{arrival.key} came again under `fail`")
    recorded = {key for chain in chains.values() for key in chain.posts()}
    verdict.expect(seen.keys() <= recorded, "the gate knows keys that no chain has")
    if outcome.plan.policy == "retry":
        verdict.expect(seen.keys() == recorded, "a chain has answers that the gate did not give")


def _each_kill_interrupts_at_most_one(
    verdict: Verdict, outcome: Outcome, chains: dict[str, Chain]
) -> None:
    interrupted: set[str] = set()
    for chain in chains.values():
        for call in chain.calls:
            for type_, form, key in call.hosts:
                if type_ == POST and isinstance(form.output, bytes) and INTERRUPTED in form.output:
                    assert key is not None
                    interrupted.add(key)
    verdict.interrupted = len(interrupted)
    kills: Counter[int] = Counter()
    for key in interrupted:
        hit = [n for n, finding in enumerate(outcome.findings) if key in finding.open]
        verdict.expect(bool(hit), f"{key} was interrupted by no kill")
        kills.update(hit[:1])
    for kill, count in kills.items():
        verdict.expect(count == 1, f"kill {kill} interrupted {count} POSTs")
    verdict.expect(len(interrupted) <= outcome.plan.kills, "more interrupted than kills")


def _collect(
    verdict: Verdict,
    journal: SqliteJournal,
    chains: dict[str, Chain],
    names: dict[str, str],
    told: list[Told],
) -> None:
    meanings = {id_.encode(): name.encode() for id_, name in names.items()}
    for chain in chains.values():
        stores: dict[str, list[str]] = {}
        for store in journal.stores_of(chain.row.id):
            meanings[store.encode()] = b"store"
            image = journal.store_image(store)
            assert image is not None
            stores[CONTENTS] = sorted(digest.hex() for digest in image.contents)
            for label, digests in image.labels.items():
                stores["label " + label] = [digest.hex() for digest in digests]
        ref = chain.row.tip.state
        kept = None if ref is None else journal.content(ref[0])
        state = None if kept is None else kept[1]
        for id_, name in meanings.items():
            state = None if state is None else state.replace(id_, name)
        verdict.left[chain.row.name] = Left(chain.row.status, state, stores)
    ledger = next(id_ for id_, name in names.items() if name == "ledger")
    for line in told:
        # What depends on the order of clients, or on when they were asked to rest, can't be compared.
        passing = "last" in line.key or "rest" in line.key
        if line.what == "request" and line.actor != ledger and not passing:
            verdict.answers[line.key] = line.answer


def fingerprint(verdict: Verdict) -> str:
    """A digest of all final states, to compare by eye."""
    text = json.dumps(
        {
            name: [left.status, (left.state or b"").decode(), left.stores]
            for name, left in verdict.left.items()
        },
        sort_keys=True,
    )
    return sha256(text.encode()).hexdigest()[:16]
