"""Parents and children for tests: an actor that does with its children what a request says."""

from __future__ import annotations

from dataclasses import dataclass

from tests.runtime.actors import Theater, guest, manifest
from theater.runtime.info import ActorInfo

HANDLERS = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "supervisor"\n'


def description(
    stage: Theater, guest_: str = "parent", name: str = "child", more: str = "", handlers: str = ""
) -> str:
    """The text of a manifest whose component the node has."""
    digest = stage.node.add_component(guest(guest_))
    return f'name = "{name}"\ncomponent = "x.wasm"\ncomponent_sha256 = "{digest}"\n{more}\n' + (
        handlers or HANDLERS
    )


@dataclass
class Household:
    """A parent, and the text from which it makes children like itself."""

    stage: Theater
    parent: ActorInfo
    text: str

    def ask(self, order: str | bytes, of: str | None = None) -> str:
        """Give an order to the parent, or to another actor; returns the answer."""
        body = order if isinstance(order, bytes) else order.encode()
        actor = self.parent if of is None else self.stage.node.info(of)
        return self.stage.ask(actor, body).decode()

    def spawn(
        self, text: str | None = None, *, state: bytes | None = None, of: str | None = None
    ) -> str:
        """Have a child started; returns its id."""
        described = (text or self.text).encode()
        order = b"c" if state is None else b"C" + bytes([len(state)]) + state
        return self.ask(order + described, of)

    def children(self, of: str | None = None) -> list[str]:
        """The ids of the living children, as the actor itself is told them."""
        found = self.ask("l", of)
        return [found[at : at + 36] for at in range(0, len(found), 36)]

    def told(self) -> list[str]:
        """What the parent was told of its children: `E`, `X` or `S`, the child's id, and more."""
        return self.ask("s").splitlines()

    def status(self, actor: str) -> str:
        """What the node says of an actor."""
        return self.stage.node.info(actor).status


def household(stage: Theater, more: str = "") -> Household:
    """Start a parent."""
    parent = stage.start("parent", manifest("parent", handlers=more + HANDLERS))
    return Household(stage, parent, description(stage))
