"""Manifests with a `[supervision]`, and what chains say of restarts and ends."""

from __future__ import annotations

from tests.runtime.actors import Theater
from theater.chain import shapes
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.manifest.model import Manifest

MESSAGES = '[[handler]]\ntype = "message-server"\n'


def supervised(
    name: str = "actor", *, handlers: str = MESSAGES, errors: str = "continue", **settings: object
) -> Manifest:
    """A manifest with these settings of supervision."""
    lines = [f'name = "{name}"', 'component = "unused.wasm"', f'errors = "{errors}"']
    lines.append("[supervision]")
    lines.extend(
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in settings.items()
    )
    return parse("\n".join([*lines, handlers]), grant_types=GRANT_TYPES)


def notes(stage: Theater, actor: str, type_: str) -> list[shapes.Note]:
    """The notes of a type in an actor's chain."""
    forms = [
        shapes.parse(e.type, e.data or b"") for e in stage.node.events(actor) if e.type == type_
    ]
    return [form for form in forms if isinstance(form, shapes.Note)]


def restarts(stage: Theater, actor: str) -> list[str]:
    """Why an actor was restarted by its supervisor, each time."""
    return [
        note.why for note in notes(stage, actor, shapes.ACTOR_RESTART) if note.by == "supervisor"
    ]


def course(stage: Theater, actor: str) -> str:
    """What an actor's chain tells, a letter an event.

    `c` a call, `r` its result, `e` an error, `k` a kill, `R` a restart, `A` a message set aside, `F` a
    failure, `S` a stop; other events are left out.
    """
    letters = {
        shapes.WASM_CALL: "c",
        shapes.WASM_RESULT: "r",
        shapes.ACTOR_RESTART: "R",
        shapes.MESSAGE_ASIDE: "A",
        shapes.ACTOR_FAIL: "F",
        shapes.ACTOR_STOP: "S",
    }
    told = ""
    for event in stage.node.events(actor):
        if event.type == shapes.WASM_ERROR:
            form = shapes.parse(event.type, event.data or b"")
            told += "k" if isinstance(form, shapes.Error) and form.kind == "killed" else "e"
        else:
            told += letters.get(event.type, "")
    return told
