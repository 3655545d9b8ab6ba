"""Records for tests: valid ones, made from small numbers, and a picture of all that a journal holds."""

from __future__ import annotations

import random
from collections.abc import Iterable
from hashlib import sha256

from theater.chain.content import content_digest, plain_digest
from theater.chain.event import make_event
from theater.chain.tip import Tip
from theater.journal.image import Image
from theater.journal.memory import MemoryJournal
from theater.journal.port import Journal
from theater.journal.records import (
    ActorRow,
    Answer,
    AnswerKey,
    Append,
    CancelTimer,
    Channel,
    CloseChannel,
    CloseWait,
    CountDropped,
    CreateActor,
    Enqueue,
    Failure,
    FireTimer,
    ForgetKeys,
    GiveAnswer,
    Keep,
    Message,
    NewStore,
    OpenChannel,
    OpenKey,
    OpenWait,
    Planned,
    PutContent,
    Record,
    RegisterName,
    ReleaseName,
    SetActor,
    SetLabel,
    SetSupervision,
    SetTimer,
    Settle,
    Step,
    Take,
    Timer,
    UnhandledState,
)
from theater.limits import CONTENT_ROW_BYTES_MAX

NAMES = 4
UNHANDLED: tuple[UnhandledState, ...] = ("dead", "aside")
KINDS = (
    *("create", "event", "event", "event", "keep", "keep_large", "enqueue", "enqueue", "take"),
    *(
        "done",
        "front",
        "aside",
        "dead",
        "dropped",
        "outstanding",
        "open_wait",
        "answer",
        "close_wait",
        "set_actor",
    ),
    *("open_key", "answer_key", "forget_keys", "store", "put", "label", "unlabel"),
    *("set_timer", "set_timer", "fire_timer", "fire_timer", "cancel_timer"),
    *("open_channel", "open_channel", "close_channel"),
    *("supervision", "supervision"),
    *("register_name", "register_name", "release_name"),
)


def actor_row(number: int, name: str = "one") -> ActorRow:
    ref = (bytes([number % 256]) * 32, 3)
    return ActorRow(
        id=f"actor_{number:04x}",
        name=name,
        parent=None,
        number=number,
        status="running",
        component=bytes(32),
        manifest=ref,
        grants=ref,
        manifest_path="a.toml",
        started_at=7,
    )


def message(number: int, receiver: str = "actor_0000", **other: object) -> Message:
    return Message(
        id=f"message-{number}",
        receiver=receiver,
        kind="send",
        origin="client",
        sender="",
        body=b"body %d" % number,
        position=number,
        **other,  # type: ignore[arg-type]
    )


class Maker:
    """Makes steps that a runtime could have made, from a kind and two small numbers."""

    def __init__(self) -> None:
        self.tips: dict[str, Tip] = {}
        self.messages = 0

    def event(self, actor: str, data: bytes | None = None, type_: str = "a/b") -> Append:
        tip = self.tips[actor]
        event = make_event(tip.seq + 1, tip.at + 1, tip.hash, type_, data or b"data %d" % tip.seq)
        state = (sha256(event.data or b"").digest(), tip.seq + 1) if tip.seq % 2 else None
        after = Tip(event.seq, event.at, event.hash, state, event.seq // 2, None, event.seq * 10)
        self.tips[actor] = after
        return Append(actor, event, after)

    def actor(self, number: int) -> CreateActor:
        row = actor_row(number)
        self.tips[row.id] = row.tip
        return CreateActor(row)

    def step(self, kind: str, a: int, b: int) -> Step:
        match kind:
            case "create":
                return self.actor(len(self.tips))
            case "event":
                if not self.tips:
                    return self.actor(0)
                return self.event(sorted(self.tips)[a % len(self.tips)])
            case "keep" | "keep_large":
                return kept(a, b, large=kind == "keep_large")
            case "enqueue":
                self.messages += 1
                return Enqueue(message(self.messages - 1, f"actor_{a % NAMES:04x}", attempt=b))
            case "take":
                return Take(self._message(a))
            case "done":
                return Settle(self._message(a), "done")
            case "front":
                return Settle(self._message(a), "front", attempt=b if b % 2 else None)
            case "aside":
                return Settle(self._message(a), "aside", reason=f"for {b}", at_us=b)
            case "dead":
                return Settle(self._message(a), "dead", reason=f"for {b}", attempt=b)
            case "dropped":
                return CountDropped("aside" if a % 2 else "dead", b)
            case "outstanding":
                return Settle(self._message(a), "outstanding")
            case "open_wait":
                meant = f"actor_{a:04x}" if b % 2 else None
                return OpenWait(f"wait-{a}", f"actor_{b:04x}", b, a, b, bytes(32), meant)
            case "answer":
                return GiveAnswer(f"wait-{a}", answer(b))
            case "close_wait":
                return CloseWait(f"wait-{a}")
            case "set_actor":
                status = ("paused", "stopped", "failed", None)[b % 4]
                outcome = answer(b) if b % 3 else None
                engine = b"engine" if b % 5 else None
                component = bytes([b % 256]) * 32 if b % 7 == 0 else None
                return SetActor(
                    f"actor_{a:04x}",
                    status,
                    deaths=b,
                    engine=engine,
                    outcome=outcome,
                    component=component,
                    stopped_by="parent" if b % 2 else None,
                )
            case "set_timer":
                return SetTimer(timer(a, b))
            case "fire_timer":
                return FireTimer(f"timer-{a}", 10 + b if b else None)
            case "cancel_timer":
                return CancelTimer(f"timer-{a}")
            case "open_channel":
                return OpenChannel(channel(a, b))
            case "close_channel":
                return CloseChannel(f"channel-{a}")
            case "register_name":
                return RegisterName(f"name-{a}", f"actor_{b:04x}")
            case "release_name":
                return ReleaseName(f"name-{a}")
            case "open_key":
                return OpenKey(f"key-{a}", f"message-{b}", b)
            case "answer_key":
                return AnswerKey(f"key-{a}", answer(b))
            case "forget_keys":
                return ForgetKeys(b)
            case "store":
                return NewStore(f"store-{a}", f"actor_{b:04x}")
            case "put":
                return PutContent(f"store-{a}", sha256(bytes([b])).digest(), b)
            case "label":
                digests = tuple(sha256(bytes([n])).digest() for n in range(b + 1))
                return SetLabel(f"store-{a}", f"label-{b % 3}", digests)
            case "unlabel":
                return SetLabel(f"store-{a}", f"label-{b % 3}", ())
            case "supervision":
                return supervision(a, b)
        raise AssertionError(kind)

    def _message(self, a: int) -> str:
        return f"message-{max(0, self.messages - 1 - a)}"


def timer(a: int, b: int) -> Timer:
    actor, payload = f"actor_{a % NAMES:04x}", b"payload %d" % b
    if b % 2:
        return Timer(f"timer-{a}", actor, "cron", b, payload, cron="* * * * *")
    return Timer(f"timer-{a}", actor, "every", b, payload, span_us=1000 * b)


def channel(a: int, b: int) -> Channel:
    return Channel(f"channel-{a}", f"actor_{b:04x}" if b % 2 else None, f"actor_{a:04x}")


def supervision(a: int, b: int) -> SetSupervision:
    failures = (Failure(b, None), Failure(a + b, f"message-{a}")) if b % 2 else ()
    asides = ((f"actor_{b:04x}", b),) if b % 3 else ()
    plan = (Planned(f"actor_{b:04x}", "init", f"why {b} \u2028"),) if b % 4 else ()
    return SetSupervision(f"actor_{a:04x}", failures, asides, plan)


def answer(number: int) -> Answer:
    event = (number, bytes([number]) * 32) if number % 2 else None
    return Answer(number % 3 != 0, b"answer %d" % number, event)


def kept(a: int, b: int, *, large: bool) -> Keep:
    data = bytes([a]) * (CONTENT_ROW_BYTES_MAX + 1 + b if large else b)
    if b % 2:
        salt = bytes([b]) * 16
        return Keep(content_digest(salt, data), salt, data)
    return Keep(plain_digest(data), None, data)


def records(plan: Iterable[tuple[str, int, int, bool]]) -> list[Record]:
    """Records from a plan: kind, two small numbers, and whether the step joins the one before."""
    maker = Maker()
    made: list[list[Step]] = []
    for kind, a, b, joins in plan:
        step = maker.step(kind, a, b)
        if joins and made:
            made[-1].append(step)
        else:
            made.append([step])
    return [tuple(steps) for steps in made]


def random_plan(seed: int, length: int) -> list[tuple[str, int, int, bool]]:
    chance = random.Random(seed)
    return [
        (chance.choice(KINDS), chance.randrange(6), chance.randrange(6), chance.random() < 0.4)
        for _ in range(length)
    ]


def picture(journal: Journal) -> dict[str, object]:
    """All that can be read from a journal that holds what a Maker made."""
    actors = journal.actors(ended=True)
    contents = {
        keep.digest: journal.content(keep.digest)
        for a in range(6)
        for b in range(6)
        for keep in (kept(a, b, large=False), kept(a, b, large=True))
    }
    owners = [f"actor_{n:04x}" for n in range(6)]
    return {
        "actors": list(actors),
        "living": list(journal.actors()),
        "chains": {row.id: list(journal.events(row.id)) for row in actors},
        "contents": contents,
        "known": {digest: journal.has_content(digest) for digest in contents},
        "messages": list(journal.messages()),
        "by id": [journal.message(f"message-{n}") for n in range(9)],
        "living messages": list(journal.living_messages()),
        "unhandled": {
            (state, receiver): [
                (each.at_us, each.bytes, each.message)
                for each in journal.unhandled(state, receiver)
            ]
            for state in UNHANDLED
            for receiver in (None, "actor_0000", "actor_0001")
        },
        "totals": [journal.unhandled_totals(state) for state in UNHANDLED],
        "waits": list(journal.waits()),
        "timers": list(journal.timers()),
        "own timers": [list(journal.timers(owner)) for owner in owners],
        "channels": list(journal.channels()),
        "names": dict(journal.names()),
        "keys": {f"key-{n}": journal.key(f"key-{n}") for n in range(6)},
        "stores": {owner: list(journal.stores_of(owner)) for owner in owners},
        "images": {f"store-{n}": journal.store_image(f"store-{n}") for n in range(6)},
        "supervision": list(journal.supervision()),
        "number": journal.next_number(),
    }


def folded(prefix: Iterable[Record]) -> dict[str, object]:
    """The picture of a journal that holds these records."""
    image = Image()
    for record in prefix:
        image.apply(record)
    return picture(MemoryJournal(image=image))
