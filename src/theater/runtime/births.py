"""How actors come to be: new ones, with the record that makes them durable, and those of the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import msgspec

from theater import ids, limits
from theater.chain import shapes
from theater.errors import Conflict, Unavailable
from theater.handlers.grant_types import GRANT_TYPES
from theater.journal.records import ActorRow, Append, CreateActor, OpenKey, Step
from theater.manifest import parse
from theater.manifest.grants import Grant, as_map
from theater.manifest.model import Manifest
from theater.runtime import opening
from theater.runtime.actor import Actor
from theater.runtime.chain_saving import ChainSaving
from theater.runtime.content import keep
from theater.runtime.info import ActorInfo
from theater.runtime.lifecycle import run_actor
from theater.runtime.lives import Lives
from theater.runtime.offspring import Offspring
from theater.runtime.outside import Outside
from theater.runtime.program import Program
from theater.runtime.programs import Programs
from theater.runtime.services import Services
from theater.runtime.starting import check_state, initial_state
from theater.values import cbor


@dataclass(frozen=True, slots=True)
class ChildPlace:
    """Who asks for a child: the parent, the seq of its open call, and the child's id.

    `resumes`: its `init` is not called. `origin` is the event that its state is from, None for one
    that comes from the parent. `wanted` is asked, under the parent's lock, whether to make it at all.
    """

    parent: Actor
    call: int
    child: str
    children_max: int
    resumes: bool
    origin: shapes.Peer | None
    wanted: Callable[[], bool]


class Births:
    """Makes actors. `batch` is how many calls of one are done before others have their turn."""

    def __init__(
        self,
        services: Services,
        outside: Outside,
        lives: Lives,
        programs: Programs,
        saving: ChainSaving,
        info: Callable[[str], ActorInfo],
        batch: int,
    ) -> None:
        self._services: Final = services
        self._journal: Final = services.journal
        self._router: Final = services.router
        self._clock: Final = services.clock
        self._outside: Final = outside
        self._lives: Final = lives
        self._programs: Final = programs
        self._saving: Final = saving
        self._info: Final = info
        self._batch: Final = batch
        self._numbers = services.journal.next_number()

    def start(
        self,
        manifest: Manifest,
        component: bytes,
        name: str | None,
        state: bytes | None,
        key: str | None,
        future: Future[ActorInfo],
    ) -> None:
        """Start an actor with the record that makes it, or join the start that `key` was used for.

        `component` is a digest. The future completes when `init` has returned; ActorFailed if it fails.
        """
        self._saving.check(manifest)
        program = self._programs.program(component, manifest)
        grants = cbor.encode(as_map(self._programs.grants(manifest)))
        state = initial_state(manifest, state)
        check_state(manifest, state)
        name = name or manifest.name
        source = self._services.random(16)
        if key is not None:
            said = [b"start", component, manifest.text.encode(), name.encode()]
            source = ids.for_purpose(source, *said, *([] if state is None else [state]))
        actor_id = ids.actor_id(source)
        self._saving.starting(actor_id, manifest)
        with self._lives.lock:
            self._lives.check()
            kept = None if key is None else self._outside.known_key(key, actor_id)
            if kept is not None:
                started = not self._lives.join_start(kept.message, future)
            else:
                actor, steps = self.new_actor(
                    actor_id, manifest, component, name, grants, state, program
                )
                if key is not None:
                    now = self._clock.wall_us()
                    steps = (OpenKey(key, actor.id, now), *steps)
                self._journal.append(steps)
                # Only now may others see it: what a list tells is on disk when it was queued.
                # Not if the journal failed on this very record.
                self._lives.expect_start(actor.id, future)
                self._router.actors[actor.id] = actor
        if kept is None:
            self._saving.started(actor)
            self._router.wake(actor)
        elif started:
            self._tell_of_start(kept.message, future)

    def _tell_of_start(self, actor: str, future: Future[ActorInfo]) -> None:
        """Answer a start that was asked for again as the first one was answered."""
        info, number = self._info(actor), self._journal.appended()
        if info.status in ("failed", "stopped") and not self._began(actor):
            self._lives.did_not_start(future, info, number)
        else:
            self._lives.complete(future, info, number)

    def _began(self, actor: str) -> bool:
        """Whether the first call of an actor's `init` returned. Reads the events of that call."""
        ends = (shapes.WASM_RESULT, shapes.WASM_ERROR, shapes.ACTOR_FAIL)
        events = self._journal.events(actor, 1)
        return next((e.type for e in events if e.type in ends), None) == shapes.WASM_RESULT

    def child(self, asked: ChildPlace, found: Offspring, grants: Mapping[str, Grant]) -> Actor:
        """Make a child of an actor whose call is still open, or return the one that was made for it.

        `grants` are the effective ones. Conflict if the call is over: its parent may have ended since,
        and would never stop the child.
        """
        manifest, parent = found.manifest, asked.parent
        self._saving.check(manifest)
        check_state(manifest, found.state)
        program = self._programs.program(found.component, manifest, grants)
        recorded = cbor.encode(as_map(grants))
        self._saving.starting(asked.child, manifest)
        with parent.lock:
            tip = parent.tip
            if tip.call != asked.call or not asked.wanted():
                raise Conflict("the call that asked for this child is over", code="child.too_late")
            self._check_room(asked)
            above = shapes.Peer(parent.id, tip.seq, tip.hash)
            with self._lives.lock:
                self._lives.check()
                actor, steps = self.new_actor(
                    asked.child,
                    manifest,
                    found.component,
                    manifest.name,
                    recorded,
                    found.state,
                    program,
                    parent=above,
                    origin=asked.origin or (above if asked.resumes else None),
                )
                self._journal.append(steps)
                self._services.family.add(actor)
                self._router.actors[actor.id] = actor
        self._saving.started(actor)
        self._router.wake(actor)
        return actor

    def _check_room(self, asked: ChildPlace) -> None:
        family = self._services.family
        if family.count(asked.parent.id) >= asked.children_max:
            raise Unavailable(
                f"actor {asked.parent.id} has {asked.children_max} living children already, as many "
                "as its grant of supervisor allows (max_children)",
                code="children.full",
            )
        if family.below_root(asked.parent) >= limits.TREE_ACTORS_MAX:
            raise Unavailable(
                f"{limits.TREE_ACTORS_MAX} actors live below the first of this tree already",
                code="tree.full",
            )
        if family.depth(asked.parent) + 1 > limits.TREE_DEPTH_MAX:
            raise Unavailable(
                f"{limits.TREE_DEPTH_MAX} actors stand above the child already",
                code="tree.too_deep",
            )

    def new_actor(
        self,
        actor_id: str,
        manifest: Manifest,
        component: bytes,
        name: str,
        grants: bytes,
        state: bytes | None,
        program: Program,
        *,
        parent: shapes.Peer | None = None,
        origin: shapes.Peer | None = None,
    ) -> tuple[Actor, tuple[Step, ...]]:
        """Return a new actor that nobody sees yet, and the steps that make it durable.

        With an `origin`, where its state comes from, it runs at once: its `init` is not called.
        Unavailable if too many live already.
        """
        if len(self._router.actors) >= limits.ACTORS_MAX:
            raise Unavailable(f"{limits.ACTORS_MAX} actors live already", code="actors.full")
        keeps: list[Step] = []
        salt = self._services.salt
        manifest_ref = keep(manifest.text.encode(), salt(), keeps)
        grants_ref = keep(grants, salt(), keeps)
        state_ref = None if state is None else keep(state, salt(), keeps)
        now = self._clock.wall_us()
        row = ActorRow(
            actor_id,
            name,
            None if parent is None else parent.actor,
            self._numbers,
            "starting" if origin is None else "running",
            component,
            manifest_ref,
            grants_ref,
            manifest.path or "",
            now,
            engine=program.engine_digest,
        )
        self._numbers += 1
        data = shapes.start(
            self._services.salt(),
            actor=actor_id,
            name=name,
            component=component,
            manifest=manifest_ref,
            grants=grants_ref,
            limits=manifest.limits.as_map(),
            engine=program.engine,
            state=state_ref,
            parent=parent,
            origin=origin,
        )
        event, tip = opening.first_event(now, data, state_ref)
        actor = self.restored(msgspec.structs.replace(row, tip=tip), manifest)
        actor.program = program
        return actor, (CreateActor(row), *keeps, Append(actor_id, event, tip))

    def restored(self, row: ActorRow, manifest: Manifest | None = None) -> Actor:
        """Return the actor of a row, with the manifest and the limits that it was started with."""
        if manifest is None:
            kept = self._journal.content(row.manifest[0])
            assert kept is not None, "a manifest is kept with its actor"
            manifest = parse(
                kept[1].decode(), grant_types=GRANT_TYPES, path=row.manifest_path or None
            )
            manifest = replace(manifest, limits=opening.recorded_limits(self._journal, row.id))
        return Actor(
            row,
            manifest,
            self._journal,
            self._clock,
            self._router.mailboxes,
            self._services.dispatcher.blocking,
            partial(run_actor, self._services),
            self._batch,
        )
