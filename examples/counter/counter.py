"""The smallest actor: it counts what it is sent."""

from dataclasses import dataclass

from theater_guest import Actor, log


@dataclass
class Counter(Actor):
    """Its one field is its state; it survives every call, restart and crash."""

    count: int = 0

    def on_send(self, message: int) -> None:
        self.count += message
        log(f"counted to {self.count}")

    def on_request(self, message: None) -> dict[str, int]:
        return {"count": self.count}
