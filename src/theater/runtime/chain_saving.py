"""`save_chain`: the chains of actors whose manifests ask for it, streamed to files.

One thread reads behind the journal's commits, so no line appears before its event is durable, and no
actor waits for a file. What it is behind is only a list of actors: the events are in the journal.
While an actor's file is not finished, a note of its own in `saving/` says so; that is how a node finds
the files of actors that ended before it was opened.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from theater.chain.event import Event
from theater.chain.jsonl import Meta, write_meta
from theater.errors import Denied, JournalFailed, TheaterError
from theater.handlers.grant_types import GRANT_TYPES
from theater.ids import ACTOR_ID
from theater.journal.port import Journal
from theater.journal.records import ActorRow
from theater.journal.sqlite.directory import sync_directory
from theater.manifest import Manifest, parse
from theater.runtime.actor import Actor
from theater.runtime.chain_file import ChainFile, Write
from theater.runtime.durable_files import write_whole

log = logging.getLogger(__name__)

CHAINS: Final = "chains"
SAVING: Final = "saving"
RETRY_S: Final = 5.0
REST_RATIO: Final = 4
"""For the time that the thread worked it rests so many times as long: a fifth of a core at most."""

PAUSE_S: Final = 0.02
"""How long commits gather before their lines are written."""


@dataclass(slots=True)
class _Saved:
    """A chain that is streamed. `described`: its meta file stands beside it."""

    file: ChainFile
    ended: bool
    described: bool = False


class ChainSaving:
    """The files of a node's actors. `data_dir` None: there is no place for files."""

    def __init__(
        self, journal: Journal, data_dir: Path | None, allowed: Sequence[Path], write: Write
    ) -> None:
        self._journal = journal
        self._data_dir = data_dir
        self._allowed = allowed
        self._write = write
        self._saved: dict[str, _Saved] = {}
        self._dirty: dict[str, None] = {}
        self._retry: dict[str, float] = {}
        self._troubles: dict[tuple[Path, str], set[str]] = {}
        self._wake = threading.Condition()
        self._closing = threading.Event()
        self._until = 0.0
        self._thread: threading.Thread | None = None
        self._left: list[str] = []
        self._unwatch: Callable[[], None] = lambda: None

    def check(self, manifest: Manifest) -> None:
        """Denied if a manifest wants its chain where the operator does not allow it."""
        if manifest.save_chain:
            self._folder(manifest.chain_dir)

    def open(self, living: Iterable[Actor]) -> None:
        """Take up the files of the actors that live, and of those that ended with the process."""
        if self._data_dir is None:
            return
        notes = self._data_dir / SAVING
        try:
            notes.mkdir(mode=0o700, exist_ok=True)
            self._left = sorted(os.listdir(notes))
        except OSError as error:
            log.error("no chains are saved until the node is opened again: %s: %s", notes, error)
            self._data_dir = None
            return
        self._unwatch = self._journal.on_commit(self._committed)
        for actor in living:
            if actor.manifest.save_chain:
                self._take_up(actor.id, actor.manifest.chain_dir)
        self._thread = threading.Thread(target=self._run, name="theater-chains", daemon=True)
        self._thread.start()

    def starting(self, actor: str, manifest: Manifest) -> None:
        """Note that a chain is to be saved, before there is any; on disk when this returns."""
        if self._data_dir is not None and manifest.save_chain:
            try:
                write_whole(self._data_dir / SAVING / actor, b"")
            except OSError as error:
                log.error("the chain file of actor %s can't be announced: %s", actor, error)

    def started(self, actor: Actor) -> None:
        """Stream an actor's chain if its manifest says so."""
        if self._data_dir is not None and actor.manifest.save_chain:
            self._take_up(actor.id, actor.manifest.chain_dir)

    def ended(self, actor: str) -> None:
        """Finish the actor's file once it has all events."""
        with self._wake:
            saved = self._saved.get(actor)
            if saved is not None:
                saved.ended = True
                self._dirty[actor] = None
                self._wake.notify()

    def close(self, seconds: float) -> None:
        """Write what is durable, for at most so long, and end the thread."""
        if self._thread is None:
            return
        if self._saved:
            with suppress(TheaterError):
                self._journal.wait(self._journal.appended(), seconds)
        with self._wake:
            self._until = time.monotonic() + seconds
            self._closing.set()
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._unwatch()

    def _folder(self, chain_dir: str | None) -> Path:
        """Where a manifest's chain goes. A manifest may come from anybody who may start actors."""
        base = (self._data_dir or Path()) / CHAINS
        if chain_dir is None or not chain_dir.startswith("/"):
            return base if chain_dir is None else base / chain_dir
        wanted = Path(os.path.realpath(chain_dir))
        for root in self._allowed:
            if wanted.is_relative_to(os.path.realpath(root)):
                return wanted
        raise Denied(
            f"the manifest wants its chain in {chain_dir}, where this node may not write: give a "
            'relative path, or add the folder to chain_dirs = ["…"] in config.toml',
            code="permission.chain_dir",
            chain_dir=chain_dir,
        )

    def _take_up(self, actor: str, chain_dir: str | None, *, ended: bool = False) -> None:
        try:
            folder = self._folder(chain_dir)
        except Denied as error:
            log.error("the chain of actor %s is not saved: %s", actor, error.message)
            return

        def events(start: int, limit: int) -> Iterator[Event]:
            return self._journal.events(actor, start, limit)

        saved = _Saved(ChainFile(folder / f"{actor}.jsonl", events, self._write), ended)
        with self._wake:
            if actor not in self._saved:
                self._saved[actor] = saved
                self._dirty[actor] = None
                self._wake.notify()
            else:
                self._saved[actor].ended = ended  # it was restarted before its file was finished

    def _committed(self, grown: dict[str, int]) -> None:
        """On the writer's thread: only a look at who is saved."""
        saved = self._saved
        if not saved:
            return
        hits = [actor for actor in grown if actor in saved]
        if hits:
            with self._wake:
                self._dirty.update(dict.fromkeys(hits))
                self._wake.notify()

    # On the thread of its own

    def _run(self) -> None:
        try:
            self._find_unfinished()
            while (actor := self._next()) is not None:
                self._serve(actor)
        except JournalFailed:
            return  # nothing more is told of what may not be on disk
        except Exception:
            log.exception("chains are no longer saved to files; start the node again")

    def _next(self) -> str | None:
        """The actor whose file is longest behind, once there is one; None at the end."""
        with self._wake:
            while True:
                now = time.monotonic()
                if self._closing.is_set() and (not self._dirty or now > self._until):
                    return None
                for actor in [each for each, due in self._retry.items() if due <= now]:
                    del self._retry[actor]
                    self._dirty[actor] = None
                for actor in self._dirty:
                    del self._dirty[actor]
                    return actor
                due = min(self._retry.values(), default=None)
                self._wake.wait(None if due is None else due - now)
                if not self._closing.is_set():
                    # Commits gather without the lock, which the journal's writer takes.
                    self._wake.release()
                    try:
                        self._closing.wait(PAUSE_S)
                    finally:
                        self._wake.acquire()

    def _serve(self, actor: str) -> None:
        saved = self._saved.get(actor)
        if saved is None or actor in self._retry:
            return
        began = time.thread_time()
        try:
            more = self._step(actor, saved)
        except OSError as error:
            self._in_trouble(actor, saved, error.strerror or str(error))
            return
        except JournalFailed:
            raise
        except TheaterError as error:
            self._in_trouble(actor, saved, error.message)
            return
        self._out_of_trouble(actor)
        if more:
            with self._wake:
                self._dirty[actor] = None
        # Nobody waits for a file, and actors need the same interpreter.
        self._closing.wait((time.thread_time() - began) * REST_RATIO)

    def _step(self, actor: str, saved: _Saved) -> bool:
        """Do a slice of an actor's file; whether there is more to do."""
        if not saved.described:
            row = self._journal.actor(actor)
            if row is None:
                return False  # its first record is on its way, and tells when it is there
            self._describe(row, saved.file.path.parent)
            saved.described = True
        if saved.file.step():
            return True
        if saved.ended:
            row = self._journal.actor(actor)
            if row is None or row.status not in ("stopped", "failed"):
                return False
            if row.tip.seq >= saved.file.seq:
                return True
            saved.file.sync()
            self._forget(actor)
        return False

    def _describe(self, row: ActorRow, folder: Path) -> None:
        meta = Meta(row.id, row.name, row.manifest_path, row.started_at // 1_000_000)
        said = write_meta(meta)
        path = folder / f"{row.id}.meta.json"
        try:
            if path.read_bytes() == said:
                return
        except FileNotFoundError:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, said)

    def _forget(self, actor: str) -> None:
        assert self._data_dir is not None
        with self._wake:
            if not self._saved[actor].ended:
                return  # it was restarted just now
            (self._data_dir / SAVING / actor).unlink(missing_ok=True)
            del self._saved[actor]
            self._dirty.pop(actor, None)
        sync_directory(self._data_dir / SAVING)

    def _in_trouble(self, actor: str, saved: _Saved, why: str) -> None:
        """Say it once for a folder and a reason, however many actors have it."""
        folder = saved.file.path.parent
        with self._wake:
            self._retry[actor] = time.monotonic() + RETRY_S
        have_it = self._troubles.setdefault((folder, why), set())
        if not have_it:
            log.error(
                "chain files in %s can't be written: %s; actors go on, and their files are brought "
                "up from the journal when it works again (first seen with %s)",
                folder,
                why,
                saved.file.path.name,
            )
        have_it.add(actor)

    def _out_of_trouble(self, actor: str) -> None:
        for trouble, have_it in list(self._troubles.items()):
            if actor in have_it:
                have_it.discard(actor)
                if not have_it:
                    del self._troubles[trouble]
                    log.warning("chain files in %s are written again", trouble[0])

    def _find_unfinished(self) -> None:
        """Take up the files of actors that ended while their files were behind."""
        assert self._data_dir is not None
        for name in self._left:
            row = self._journal.actor(name) if ACTOR_ID.fullmatch(name) else None
            if row is None:
                # Noted, but never recorded.
                (self._data_dir / SAVING / name).unlink(missing_ok=True)
            elif row.status in ("stopped", "failed"):
                self._take_up_row(row)

    def _take_up_row(self, row: ActorRow) -> None:
        kept = self._journal.content(row.manifest[0])
        if kept is None or b"save_chain" not in kept[1]:
            return
        with suppress(TheaterError):
            manifest = parse(kept[1].decode(), grant_types=GRANT_TYPES)
            if manifest.save_chain:
                self._take_up(row.id, manifest.chain_dir, ended=True)
