"""Real recordings, kept to be replayed by every version to come: a chain and the content it names.

Made once by `python -m tests.golden.recorded DIR`, with a guest that leans on a global, random bytes
and the clock, three calls to an instance. One that exists is never written again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.runtime.actors import WAIT_S, guest, manifest
from theater.chain import jsonl, shapes
from theater.chain.event import Event
from theater.chain.tip import Ref
from theater.handlers.grant_types import GRANT_TYPES
from theater.journal.memory import MemoryJournal
from theater.manifest import parse
from theater.manifest.model import Limits
from theater.runtime.node import Node
from theater.runtime.programs import Programs
from theater.runtime.replay import Loaded
from theater.runtime.settings import NodeSettings

GUEST = "impure"
MESSAGES = 8


@dataclass(frozen=True, slots=True)
class Recording:
    """A chain, its content by digest with salts, and its component."""

    events: tuple[Event, ...]
    contents: dict[bytes, tuple[bytes | None, bytes]]
    component: bytes

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        """Salt and bytes of content."""
        return self.contents.get(digest)

    def history(self, until: int) -> Iterator[Event]:
        """Events up to a seq."""
        return iter(self.events[: until + 1])

    def loader(self, programs: Programs) -> object:
        """What a replay loads the program with."""

        def load(start: shapes.Start) -> Loaded:
            text = self.contents[start.manifest[0]][1].decode()
            program = programs.program(start.component, parse(text, grant_types=GRANT_TYPES))
            return Loaded(program, Limits.of_map(start.limits))

        return load


def _refs(event: Event) -> Iterator[Ref]:
    form = shapes.parse(event.type, event.data or b"")
    for name in ("state", "manifest", "grants", "params", "input", "output", "result"):
        part = getattr(form, name, None)
        if isinstance(part, tuple):
            yield part


def record(folder: Path) -> None:
    """Write a recording; an existing one is an error."""
    with tempfile.TemporaryDirectory() as cache:
        node = Node.over(MemoryJournal(), NodeSettings(cache_dir=Path(cache)))
        component = guest(GUEST)
        actor = node.start(
            manifest(GUEST, instance_calls=3), component=node.add_component(component)
        ).result(WAIT_S)
        for number in range(MESSAGES):
            body = bytes(5000) if number == 3 else b"%d" % number
            node.request(actor.id, body).result(WAIT_S)
        node.stop(actor.id).result(WAIT_S)
        events = list(node.events(actor.id))
        contents = {}
        for digest, _ in {ref for event in events for ref in _refs(event)}:
            kept = node.journal.content(digest)
            assert kept is not None
            contents[digest.hex()] = [
                b64encode(kept[0] or b"").decode(),
                b64encode(kept[1]).decode(),
            ]
        node.close()
    folder.mkdir(parents=True)
    (folder / "chain.jsonl").write_bytes(b"".join(jsonl.write(events)))
    (folder / "content.json").write_text(json.dumps(contents, indent=1, sort_keys=True) + "\n")
    (folder / "component.wasm").write_bytes(component)


def read(folder: Path) -> Recording:
    """Read a recording."""
    kept = json.loads((folder / "content.json").read_text())
    with (folder / "chain.jsonl").open("rb") as lines:
        events = tuple(jsonl.read(lines))
    contents = {
        bytes.fromhex(digest): (b64decode(salt) or None, b64decode(data))
        for digest, (salt, data) in kept.items()
    }
    return Recording(events, contents, (folder / "component.wasm").read_bytes())


if __name__ == "__main__":
    record(Path(sys.argv[1]))
