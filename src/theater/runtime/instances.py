"""The instance that an actor's next call goes to: made when it is needed, given up when it has served."""

from __future__ import annotations

from theater import limits
from theater.chain import shapes
from theater.engine import live_instances
from theater.errors import IntegrityError, Unavailable
from theater.journal.records import SetActor
from theater.runtime.actor import Actor, LiveInstance
from theater.runtime.program import Program
from theater.runtime.residency import make_room
from theater.runtime.services import Services


def fresh_instance(services: Services, actor: Actor) -> LiveInstance:
    """Return the instance that the next call goes to, a new one where the old one has served enough.

    Unavailable if there is no room for another instance now, or the component can't be loaded now.
    """
    bounds = actor.manifest.limits
    program = actor.program or load_program(services, actor)
    actor.program = program
    if actor.engine != program.engine_digest:
        note_engine(services, actor, program)
    live = actor.live
    if live is not None and (
        live.instance.dead
        or live.instance.calls >= bounds.instance_calls
        or live.instance.guest_ms >= limits.INSTANCE_GUEST_MS_MAX
    ):
        drop_instance(actor)
        live = None
    if live is None:
        if live_instances() >= limits.LIVE_INSTANCES_MAX:
            make_room(services.router.actors.values())
        live = actor.live = LiveInstance(program.new_instance(bounds))
    return live


def load_program(services: Services, actor: Actor, component: bytes | None = None) -> Program:
    """Return what an actor runs, or would run with another component, by its digest.

    Unavailable if it can't be loaded now.
    """
    try:
        return services.program(actor, component or actor.component)
    except (OSError, IntegrityError) as error:
        # Its file may come back, with a disk that was not there or from a backup. What the actor was
        # and what waits for it must not be given up before.
        raise Unavailable(
            f"the component of actor {actor.id} can't be loaded now: {error}",
            code="component.unavailable",
        ) from error


def drop_instance(actor: Actor) -> None:
    """Give an instance up; the next call has a new one."""
    live, actor.live = actor.live, None
    if live is not None:
        live.instance.close()


def note_engine(services: Services, actor: Actor, program: Program) -> None:
    """Record that the actor goes on under another engine, or other settings of it, than before."""
    data = shapes.note(
        services.salt(), "node", "the engine changed", {"engine": dict(program.engine)}
    )
    actor.record(shapes.ACTOR_ENGINE, data, (SetActor(actor.id, engine=program.engine_digest),))
    actor.engine = program.engine_digest
