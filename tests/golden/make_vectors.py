"""Makes the golden vectors of chain format 1, once; run as `python -m tests.golden.make_vectors DIR`.

They are the same on every machine and at every time. A vector that exists is never written again:
a chain that was ever released verifies for ever, so a difference is a mistake in the code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.chain.sample import Builder, every_type, peer, realistic, salt, state, without_data
from theater.chain import jsonl, shapes
from theater.chain.content import content_digest
from theater.chain.event import Event
from theater.chain.rules import RandomStream, derive

LONG_CHAIN_EVENTS = 10_000


def one_event() -> list[Event]:
    """A chain of one event."""
    chain = Builder()
    chain.start()
    return chain.events


def redacted() -> list[Event]:
    """The chain with every type of event, without the data that its notes say is gone."""
    return without_data(every_type(), [0, 1, 2, 4, 8])


def fork() -> list[Event]:
    """A branch: its ancestor's events, then what became of it."""
    chain = Builder()
    chain.events = realistic(6)
    origin = chain.events[-1]
    chain.at = origin.at + 7
    chain.note(
        shapes.ACTOR_FORK,
        **{
            "actor": "actor-branch",
            "from": shapes.Peer("actor-a", origin.seq, origin.hash),
            "entropy": salt(99),
            "grants": state(98),
            "state": state(97),
            "component": peer(5).hash,
        },
    )
    chain.call(state(97))
    chain.host()
    chain.result(state(96))
    return chain.events


def long_chain() -> list[Event]:
    """A chain of 10,000 events, of which only the head is kept."""
    return realistic(LONG_CHAIN_EVENTS // 4)[:LONG_CHAIN_EVENTS]


def vectors() -> Mapping[str, bytes]:
    """All vectors, by the name of their file."""
    chains = {
        "one-event": one_event(),
        "every-type": every_type(),
        "redacted": redacted(),
        "fork": fork(),
    }
    facts: dict[str, object] = {
        "heads": {
            name: {"events": len(events), "head": events[-1].hash.hex()}
            for name, events in {**chains, "long": long_chain()}.items()
        },
        "content": content_digest(salt(1), b"content").hex(),
        "random": RandomStream(salt(2)).take(80).hex(),
        "id": derive("actor-a", 7, 3).hex(),
    }
    files = {f"{name}.jsonl": b"".join(jsonl.write(events)) for name, events in chains.items()}
    files["vectors.json"] = json.dumps(facts, indent=2).encode() + b"\n"
    return files


def main(folder: Path) -> None:
    """Write what is not there yet; an existing file that differs is an error."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in vectors().items():
        path = folder / name
        if path.exists() and path.read_bytes() != data:
            raise SystemExit(f"{path} exists and is another: golden vectors are never changed")
        path.write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
