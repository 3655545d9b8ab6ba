"""Which guest each thread is in, written where it outlives the process: whose call a death came in.

The journal can't say it: a record is on disk only some milliseconds after the call has begun, and
a guest that takes the process down at once would take that with it, at every start again. So each
thread writes into a file that is mapped into memory. That costs no system call and no sync, and it
survives the end of a process, which is all that a guest can bring about; what a loss of power leaves
there names calls that have ended, or nobody.

Who waits (for an answer, a time, the journal) is in no guest, and nothing is held against it. Those
that the last process died with are the suspects of this one: they run one at a time, so that a
second death has one culprit.
"""

from __future__ import annotations

import logging
import mmap
import os
import threading
from pathlib import Path
from typing import Final

from theater import limits
from theater.journal.records import Message
from theater.runtime.actor import Actor

log = logging.getLogger(__name__)

FILE: Final = "running"
SLOT_BYTES: Final = 128
NAME_BYTES: Final = SLOT_BYTES - 1
SLOTS: Final = limits.WORKERS_MAX + limits.INLINE_DEPTH_MAX
"""For threads that are in a guest; a thread that finds none free goes on without."""

SUSPECTS_MAX: Final = 256
"""How many suspects are remembered until their calls have begun again."""

_UNCOUNTED: Final = ord("0")
"""The first byte of a slot in use, plus the deaths that are counted of the call that is named there."""

_SIZE: Final = (SLOTS + SUSPECTS_MAX) * SLOT_BYTES


def name_of(actor: Actor, message: Message | None) -> bytes:
    """Return what a call is known by before and after a restart; without a message it is an `init`.

    What was not yet on disk comes again if its client asks again: with its key, but under another id,
    and a new actor with its name and component.
    """
    text = (
        f"init {actor.component.hex()} {actor.name}"
        if message is None
        else f"{actor.id} {message.key or message.id}"
    )
    return text.encode()[:NAME_BYTES]


class _Thread(threading.local):
    """What a thread is in. `alone`: the suspect for which it keeps the other suspects waiting."""

    slot: int = -1
    name: bytes = b""
    alone: bytes = b""
    out: int = 0
    gave_way: bool = False


class BlackBox:
    """The names of the calls that run. Without a file it remembers nothing and suspects nobody."""

    def __init__(self, memory: bytearray | mmap.mmap | None = None) -> None:
        self._memory = bytearray(_SIZE) if memory is None else memory
        self._over = False
        self._thread = _Thread()
        self._free = list(range(SLOTS - 1, -1, -1))
        self._suspected: dict[bytes, tuple[int, int]] = {}
        self._alone = threading.Lock()
        for name, counted in list(_suspects(self._memory).items())[:SUSPECTS_MAX]:
            slot = SLOTS + len(self._suspected)
            self._suspected[name] = slot, counted
            self._write(slot, name, counted)
        for slot in range(SLOTS + len(self._suspected), SLOTS + SUSPECTS_MAX):
            self._write(slot, b"")
        for slot in range(SLOTS):
            self._write(slot, b"")

    @classmethod
    def open(cls, data_dir: Path | None) -> BlackBox:
        """Read what the last process left in a data directory, and go on there."""
        if data_dir is None:
            return cls()
        try:
            handle = os.open(data_dir / FILE, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                # All of it is there before it is mapped: writing to what is not, on a full disk,
                # would kill the process.
                os.posix_fallocate(handle, 0, _SIZE)
                return cls(mmap.mmap(handle, _SIZE))
            finally:
                os.close(handle)
        except OSError as error:
            log.warning(
                "%s can't be used (%s): a guest that kills the process is not found out",
                data_dir / FILE,
                error.strerror,
            )
            return cls()

    def enter(self, name: bytes) -> bytes:
        """Say that this thread goes into a guest; returns what it was in before, for `leave`."""
        thread = self._thread
        before = thread.name
        thread.name = name
        if thread.slot < 0:
            try:
                thread.slot = self._free.pop()
            except IndexError:
                return before
        self._write(thread.slot, name)
        return before

    def leave(self, before: bytes) -> None:
        """Say that this thread is back from a guest."""
        thread = self._thread
        if thread.alone and thread.alone == thread.name:
            self._alone.release()
            thread.alone = b""
        thread.name = before
        if thread.slot >= 0:
            self._write(thread.slot, before)
            if not before:
                self._free.append(thread.slot)
                thread.slot = -1

    def step_out(self) -> None:
        """Say that this thread waits, and is in no guest until `step_in`. May be nested."""
        thread = self._thread
        if not thread.name:
            return
        thread.out += 1
        if thread.out > 1:
            return
        thread.gave_way = bool(thread.alone)
        if thread.gave_way:
            self._alone.release()
        if thread.slot >= 0:
            self._write(thread.slot, b"")

    def step_in(self) -> None:
        """Say that this thread goes on."""
        thread = self._thread
        if not thread.out:
            return
        thread.out -= 1
        if thread.out:
            return
        if thread.gave_way and not self._alone.acquire(timeout=limits.SUSPECT_WAIT_S):
            thread.alone = b""
        if thread.slot >= 0:
            self._write(thread.slot, thread.name)

    def suspects(self, name: bytes) -> bool:
        """Whether the last process died while a thread was in this call, and nobody has said so yet."""
        return name in self._suspected

    def counts(self, name: bytes, deaths: int) -> int:
        """Return how many deaths a suspect's call has seen, of which `deaths` are on disk.

        Until it is acquitted it stands here that this one is counted, lest the next process does it
        again.
        """
        slot, counted = self._suspected[name]
        if counted != deaths or not counted:
            deaths += 1
        self._write(slot, name, deaths)
        return deaths

    def acquit(self, name: bytes) -> None:
        """Forget a suspect: that the process died in this call is on disk elsewhere."""
        self._write(self._suspected.pop(name)[0], b"")

    def be_alone(self, name: bytes) -> None:
        """Wait for the other suspects; they wait until this thread leaves the call that it will enter.

        Only so long: who computes for ever must not keep the others from going on.
        """
        thread = self._thread
        if not thread.alone and self._alone.acquire(timeout=limits.SUSPECT_WAIT_S):
            thread.alone = name

    def close(self) -> None:
        """The process ends, and no guest is to blame for it."""
        self._over = True
        self._memory[:] = bytes(_SIZE)

    def _write(self, slot: int, name: bytes, counted: int = 0) -> None:
        if not self._over:
            at = slot * SLOT_BYTES
            text = bytes((_UNCOUNTED + counted,)) + name if name else b""
            self._memory[at : at + SLOT_BYTES] = text.ljust(SLOT_BYTES, b"\0")


def _suspects(memory: bytearray | mmap.mmap) -> dict[bytes, int]:
    """All names in a memory, those that were running first, with how many deaths were counted."""
    found: dict[bytes, int] = {}
    for at in range(0, _SIZE, SLOT_BYTES):
        counted, name = memory[at], bytes(memory[at + 1 : at + SLOT_BYTES]).rstrip(b"\0")
        if name:
            found.setdefault(name, max(0, counted - _UNCOUNTED))
    return found
