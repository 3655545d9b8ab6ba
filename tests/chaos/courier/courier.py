"""An actor of the kill test: each of its jobs posts, keeps, sends and asks.

What it ends with is a function of its jobs alone, so that a run that was killed can be compared with
one that was not; what differs from run to run (time, random numbers, ids) goes into the log, where
recovery and replay compare it with the recording.
"""

import random
import time
import uuid
from dataclasses import dataclass, field
from hashlib import sha256

from theater_guest import (
    DEFERRED,
    Actor,
    Deferred,
    HostError,
    Store,
    log,
    request,
    request_bytes,
    respond,
    send,
)
from theater_guest.http import post

carried = 0
"""Of this instance: a memory that the chain does not show, and that recovery has to bring back."""


@dataclass
class Job:
    """`bytes` is the size of what it keeps; `later`: a request for it is not answered at once."""

    name: str
    posts: bool
    bytes: int
    later: bool


@dataclass
class Courier(Actor):
    """The first fields say whom it deals with; `done` has what came of each job, sorted, `owed` the
    requests that wait for theirs."""

    gate: str
    ledger: str | None = None
    relay: str | None = None
    clerk: str | None = None
    store: Store | None = None
    done: dict[str, str] = field(default_factory=dict)
    owed: dict[str, str] = field(default_factory=dict)

    def on_start(self) -> None:
        self.store = Store.new()
        self.store.write("begun", b"")

    def on_send(self, message: Job) -> None:
        answer = self.carry(message)
        if message.name in self.owed:
            respond(self.owed.pop(message.name), answer)

    def on_request(self, message: Job | None) -> str | Deferred:
        if message is None:
            return str(len(self.done))
        if message.later:
            self.owed[message.name] = self.request_id
            send(self.actor_id, message)
            return DEFERRED
        return self.carry(message)

    def carry(self, job: Job) -> str:
        global carried
        carried += 1
        print(f"{job.name} is number {carried} here")
        log(f"{job.name} {uuid.uuid4()} {random.random()} {time.time_ns()}")
        self.store.write(f"job {job.name}", job.name.encode())
        parts = [self.ask(job)]
        client = job.name.partition("-")[0]
        content = (job.name + ".").encode() * (1 + job.bytes // len(job.name))
        self.store.put(content, label=client)
        if self.ledger is not None:
            send(self.ledger, job.name)
        if self.relay is not None:
            parts.append(request_bytes(self.relay, job.name.encode()).decode())
        if self.clerk is not None:
            parts.append(request(self.clerk, job).partition(" ")[0])
        self.store.write(f"job {job.name}", " ".join(parts).encode())
        self.done = dict(sorted({**self.done, job.name: " ".join(parts)}.items()))
        # The seal stands in the answer and nowhere else.
        return f"{self.done[job.name]} {sha256(job.name.encode()).hexdigest()}"

    def ask(self, job: Job) -> str:
        if not job.posts:
            return "-"
        try:
            return post(
                f"{self.gate}/stamp", json={"of": self.ledger is None, "job": job.name}
            ).text
        except HostError as error:
            return str(error).partition(":")[0]
