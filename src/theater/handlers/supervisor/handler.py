"""`theater:simple/supervisor` and `theater:agent/supervision`: an actor and its children.

What waits for a child (spawn, resume, stop, restart) is named by the place of its host call, so that
it is done once wherever a process ends. Source: the WIT files beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from itertools import islice
from typing import Final

from theater import limits
from theater.chain.event import Event
from theater.chain.shapes import Peer
from theater.errors import JournalFailed, TheaterError
from theater.handlers.port import Doing, Done, Effect, HostCall, HostFunction
from theater.handlers.supervisor.grant import SupervisorGrant
from theater.handlers.supervisor.port import Birth, SupervisorPort
from theater.handlers.supervisor.types import SUPERVISION, TYPES
from theater.ids import actor_id, effect_key
from theater.values.types import Err, Ok

INTERFACE: Final = "theater:simple/supervisor"
SUPERVISION_INTERFACE: Final = "theater:agent/supervision@0.1"


class SupervisorHandler:
    """What an actor imports to have children."""

    type = "supervisor"
    interfaces = (INTERFACE, SUPERVISION_INTERFACE)

    def __init__(self, tree: SupervisorPort) -> None:
        self._tree = tree

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """Its functions under a SupervisorGrant."""
        assert isinstance(grant, SupervisorGrant)
        bound = _Bound(self._tree, grant)
        runs: dict[str, tuple[Effect, Callable[..., object]]] = {
            "spawn": (Effect.WAITING, bound.spawn),
            "resume": (Effect.WAITING, bound.resume),
            "list-children": (Effect.RECORDED, bound.list_children),
            "stop-child": (Effect.WAITING, bound.stop_child),
            "restart-child": (Effect.WAITING, bound.restart_child),
            "get-child-state": (Effect.RECORDED, bound.child_state),
            "get-child-events": (Effect.HISTORY, bound.child_events),
        }
        status = HostFunction(Effect.RECORDED, bound.child_status, SUPERVISION["child-status"])
        return {
            INTERFACE: {
                name: HostFunction(effect, run, TYPES[name]) for name, (effect, run) in runs.items()
            },
            SUPERVISION_INTERFACE: {"child-status": status},
        }


class _Bound:
    def __init__(self, tree: SupervisorPort, grant: SupervisorGrant) -> None:
        self._tree = tree
        self._grant = grant

    def spawn(self, call: HostCall, manifest: str, state: bytes | None) -> Doing:
        return self._bear(call, manifest, state, resumes=False)

    def resume(self, call: HostCall, manifest: str, state: bytes | None) -> Doing:
        return self._bear(call, manifest, state, resumes=True)

    def _bear(self, call: HostCall, manifest: str, state: bytes | None, *, resumes: bool) -> Doing:
        tree, child = self._tree, actor_id(call.derive())
        birth = Birth(
            call.actor, call.call, child, manifest, state, resumes, self._grant.max_children
        )
        call.facts["child"] = child
        return Doing(
            child,
            lambda again: tree.spawn(birth, again),
            lambda: tree.give_up(call.actor, child),
            tree.timeout_ms(call.actor),
        )

    def list_children(self, call: HostCall) -> list[str]:
        return self._tree.children(call.actor)

    def stop_child(self, call: HostCall, child: str) -> Doing | Err:
        return self._do(call, child, lambda meant: self._tree.stop(call.actor, meant))

    def restart_child(self, call: HostCall, child: str) -> Doing | Err:
        key = effect_key(call.derive())
        return self._do(call, child, lambda meant: self._tree.restart(call.actor, meant, key))

    def _do(self, call: HostCall, child: str, begin: Callable[[str], Future[Done]]) -> Doing | Err:
        meant = call.resolve(child)
        found = _answered(lambda: self._tree.status(call.actor, meant))
        if isinstance(found, Err):
            return found
        # What was begun goes on, whether or not somebody waits for it.
        return Doing(
            meant,
            lambda _: begin(meant),
            _nothing,
            self._tree.timeout_ms(call.actor),
            named=meant != child,
        )

    def child_state(self, call: HostCall, child: str) -> Ok | Err:
        meant = call.resolve(child)
        return _answered(lambda: self._tree.state(call.actor, meant))

    def child_status(self, call: HostCall, child: str) -> Ok | Err:
        meant = call.resolve(child)
        return _answered(lambda: self._tree.status(call.actor, meant))

    def child_events(self, call: HostCall, child: str) -> Ok | Err:
        def find() -> Peer:
            return self._tree.head(call.actor, call.resolve(child))

        def read() -> list[dict[str, object]]:
            found: list[dict[str, object]] = []
            left = limits.CHILD_EVENTS_BYTES_MAX
            events = call.history_of(call.read_head(find))
            for event in islice(events, limits.GET_CHAIN_EVENTS_MAX):
                left -= len(event.data or b"")
                if left < 0:
                    break
                found.append(_event(event))
            return found

        return _answered(read)


def _nothing() -> None:
    """There is nothing to take back."""


def _answered(find: Callable[[], object]) -> Ok | Err:
    try:
        return Ok(find())
    except JournalFailed:
        raise
    except TheaterError as error:
        return Err(f"{error.code}: {error.message}")


def _event(event: Event) -> dict[str, object]:
    return {
        "hash": event.hash,
        "parent-hash": event.parent if event.seq else None,
        "event-type": event.type,
        "data": event.data or b"",
        "timestamp": event.at // 1000,
        "description": None,
    }
