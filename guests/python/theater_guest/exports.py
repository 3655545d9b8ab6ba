"""Binds an actor class to the exports of its component.

`bind` runs when the component is built: it finds the class, compiles its state's shape, and loads
what a call might import late. The returned classes have the names and methods that the generated
bindings look for.
"""

from __future__ import annotations

import io
import sys
import typing
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeVar

from theater_guest import interfaces, loading, shapes, traces
from theater_guest.actor import Actor, StateOf
from theater_guest.children import ChildError
from theater_guest.errors import BadMessage, Rejected
from theater_guest.loading import LateImport
from theater_guest.messages import Accept, Channel, Deferred, InForce, Refuse, decode, encode

T = TypeVar("T")
State = bytes | None


def guarded(run: Callable[[], T]) -> T:
    """Run a call; whatever it raises becomes a WIT error, since an exception ends the instance."""
    try:
        return run()
    except interfaces.Err:
        raise
    except Rejected as error:
        raise interfaces.Err(str(error)) from None
    except BaseException as error:  # noqa: BLE001 - sys.exit() in an actor is an error too
        interfaces.runtime.log(traces.text(error))
        raise interfaces.Err(traces.line(error)) from None
    finally:
        InForce.request_id = None


class Exports:
    """The calls of the host, translated for one actor class."""

    def __init__(self, kind: type[Actor]) -> None:
        self.kind = kind
        self.state = StateOf(kind)
        self._readers = {
            name: _reader(kind, name, position)
            for name, position in (
                ("on_send", 1),
                ("on_request", 1),
                ("on_timer", 2),
                ("on_channel_open", 2),
                ("on_channel_message", 2),
                ("on_child_exit", 2),
            )
        }
        InForce.codec = kind.codec

    def init(self, state: State, params: tuple[str]) -> tuple[State]:
        def run() -> tuple[State]:
            actor = self.state.initial(state, params[0])
            actor.on_start()
            return (self.state.dump(actor),)

        return guarded(run)

    def handle_send(self, state: State, params: tuple[bytes]) -> tuple[State]:
        def run() -> tuple[State]:
            message = self._readers["on_send"](params[0])
            actor = self.state.load(state)
            actor.on_send(message)
            return (self._kept(actor, state),)

        return guarded(run)

    def handle_request(
        self, state: State, params: tuple[str, bytes]
    ) -> tuple[State, tuple[bytes | None]]:
        def run() -> tuple[State, tuple[bytes | None]]:
            InForce.request_id = params[0]
            message = self._readers["on_request"](params[1])
            actor = self.state.load(state)
            answer = actor.on_request(message)
            body = None if isinstance(answer, Deferred) else encode(answer)
            return (self._kept(actor, state), (body,))

        return guarded(run)

    def handle_timer(self, state: State, params: tuple[str, bytes]) -> tuple[State]:
        def run() -> tuple[State]:
            message = self._readers["on_timer"](params[1])
            actor = self.state.load(state)
            actor.on_timer(params[0], message)
            return (self._kept(actor, state),)

        return guarded(run)

    def handle_channel_open(
        self, state: State, params: tuple[str, bytes]
    ) -> tuple[State, tuple[object]]:
        def run() -> tuple[State, tuple[object]]:
            message = self._readers["on_channel_open"](params[1])
            actor = self.state.load(state)
            answer = actor.on_channel_open(Channel(params[0]), message)
            return (self._kept(actor, state), (_channel_accept(answer),))

        return guarded(run)

    def handle_channel_message(self, state: State, params: tuple[str, bytes]) -> tuple[State]:
        def run() -> tuple[State]:
            message = self._readers["on_channel_message"](params[1])
            actor = self.state.load(state)
            actor.on_channel_message(Channel(params[0]), message)
            return (self._kept(actor, state),)

        return guarded(run)

    def handle_channel_close(self, state: State, params: tuple[str]) -> tuple[State]:
        def run() -> tuple[State]:
            actor = self.state.load(state)
            actor.on_channel_close(Channel(params[0]))
            return (self._kept(actor, state),)

        return guarded(run)

    def child_error(self, state: State, params: tuple[str, Any]) -> tuple[State]:
        kind = params[1].error_type.name.lower().replace("_", "-")
        text = (params[1].data or b"").decode(errors="replace")
        return self._told(state, lambda on: on.on_child_error(params[0], ChildError(kind, text)))

    def child_exit(self, state: State, params: tuple[str, bytes | None]) -> tuple[State]:
        def tell(actor: Actor) -> None:
            body = params[1]
            result = None if body is None else self._readers["on_child_exit"](body)
            actor.on_child_exit(params[0], result)

        return self._told(state, tell)

    def child_stopped(self, state: State, params: tuple[str]) -> tuple[State]:
        return self._told(state, lambda actor: actor.on_child_stopped(params[0]))

    def _told(self, state: State, tell: Callable[[Actor], None]) -> tuple[State]:
        def run() -> tuple[State]:
            actor = self.state.load(state)
            tell(actor)
            return (self._kept(actor, state),)

        return guarded(run)

    def _kept(self, actor: Actor, before: State) -> State:
        # None keeps the current state and spares the host a copy of it.
        after = self.state.dump(actor)
        return None if after == before else after


def _channel_accept(answer: Accept | Refuse | bool) -> object:
    message: bytes | None
    if isinstance(answer, Refuse):
        accepted, message = False, answer.reason.encode()
    elif isinstance(answer, Accept):
        accepted, message = True, None if answer.message is None else encode(answer.message)
    else:
        accepted, message = bool(answer), None
    return interfaces.types.ChannelAccept(accepted=accepted, message=message)


def _reader(kind: type[Actor], method: str, position: int) -> Callable[[bytes], Any]:
    """Reads a message for a method: by the codec, then by the annotation of its parameter."""
    codec = kind.codec
    function = getattr(kind, method)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    hint = typing.get_type_hints(function).get(names[position]) if len(names) > position else None
    if codec == "bytes" or hint is None:
        return lambda body: decode(body, codec)
    shaped = shapes.shape(hint)

    def read(body: bytes) -> Any:
        try:
            return shaped.decode(decode(body, codec))
        except shapes.Unfit as error:
            raise BadMessage(str(error)) from None

    return read


def bind(module: ModuleType, *, late: Sequence[LateImport] = ()) -> dict[str, type]:
    """The classes for a component's exports, by name, for the actor that a module defines.

    A module without a subclass of `theater_guest.Actor` may define these classes itself, as the
    generated bindings describe them; they are taken as they are. `late` has the imports in
    functions of the project's modules. Raises ImportError for those that would fail at run time.
    """
    kinds = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Actor)
        and value.__module__ == module.__name__
    ]
    leaves = [k for k in kinds if not any(k is not o and issubclass(o, k) for o in kinds)]
    if len(leaves) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in leaves))
        raise TypeError(f"{module.__name__} defines more than one actor: {names}")
    if leaves:
        classes = _classes(Exports(leaves[0]))
    elif hasattr(module, "Actor") and hasattr(module.Actor, "init"):
        classes = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    else:
        raise TypeError(f"{module.__name__} defines no actor: a subclass of theater_guest.Actor")
    traces.warm()
    traces.keep_sources()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    loading.check(late)
    return classes


def _classes(exports: Exports) -> dict[str, type]:
    def delegating(name: str, *methods: str) -> type:
        def delegate(method: str) -> Callable[..., object]:
            function = getattr(exports, method)
            return lambda _self, state, params: function(state, params)

        return type(name, (), {method: delegate(method) for method in methods})

    timers = ["handle_timer"]
    messages = [n for n in vars(Exports) if n.startswith("handle_") and n not in timers]
    return {
        "Actor": delegating("Actor", "init"),
        "MessageServerClient": delegating("MessageServerClient", *messages),
        "SchedulerClient": delegating("SchedulerClient", *timers),
        "SupervisorHandlers": type(
            "SupervisorHandlers",
            (),
            {
                "handle_child_error": lambda _, state, params: exports.child_error(state, params),
                "handle_child_exit": lambda _, state, params: exports.child_exit(state, params),
                "handle_child_external_stop": (
                    lambda _, state, params: exports.child_stopped(state, params)
                ),
            },
        ),
    }
