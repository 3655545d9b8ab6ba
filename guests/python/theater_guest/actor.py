"""The base class of an actor: its fields are its state, its methods answer messages.

The state is one JSON object: `v`, the class's `version`, and the fields. The initial state of a manifest
is the same object, where `v` may be missing. Older versions of this package kept the actor's id in it as
`self`, which is passed over.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, ClassVar, TypeVar

from theater_guest import context, shapes
from theater_guest.children import ChildError
from theater_guest.errors import BadState
from theater_guest.messages import Accept, Channel, Codec, InForce, Refuse

A = TypeVar("A", bound="Actor")

ENVELOPE = ("v", "self")


class Actor:
    """An actor. Subclasses are dataclasses; a new object is made of the state for each call.

    Whatever a method raises, the caller gets as an error, with the traceback in the log and the
    state as it was. Attributes that are not fields don't outlive the call.
    """

    version: ClassVar[int] = 1
    """Of the state's form; when it grows, `migrate` gets the older states."""

    codec: ClassVar[Codec] = "json"
    """How messages are read: parsed JSON, or bytes as they are."""

    @property
    def actor_id(self) -> str:
        """The actor's own id. NotGranted outside `on_start` if the manifest has no `context`."""
        if "_actor_id" not in self.__dict__:
            object.__setattr__(self, "_actor_id", context.self_id())
        return str(self.__dict__["_actor_id"])

    @property
    def request_id(self) -> str:
        """The id of the request in hand, for `respond` later. RuntimeError outside `on_request`."""
        if InForce.request_id is None:
            raise RuntimeError("there is no request in hand outside on_request")
        return InForce.request_id

    def on_start(self) -> None:
        """Called once, when the actor starts; an exception means that it does not start."""

    def on_send(self, message: Any) -> None:
        """A message that wants no answer."""
        raise NotImplementedError(f"{type(self).__name__} takes no messages: it has no on_send")

    def on_request(self, message: Any) -> Any:
        """A message that wants an answer: return it, or DEFERRED to `respond` later."""
        raise NotImplementedError(f"{type(self).__name__} takes no requests: it has no on_request")

    def on_timer(self, timer: str, message: Any) -> None:
        """A timer, by its id, was due; `message` is what it was given."""
        raise NotImplementedError(f"{type(self).__name__} takes no timers: it has no on_timer")

    def on_channel_open(
        self,
        channel: Channel,
        message: Any,
    ) -> Accept | Refuse | bool:
        """Another participant asks to open a channel. Refused unless overridden."""
        return Refuse(f"{type(self).__name__} takes no channels")

    def on_channel_message(self, channel: Channel, message: Any) -> None:
        """A message on an open channel."""

    def on_channel_close(self, channel: Channel) -> None:
        """A channel was closed, by either side."""

    def on_child_error(self, child: str, error: ChildError) -> None:
        """A child failed; its restart does not wait for this."""

    def on_child_exit(self, child: str, result: Any) -> None:
        """A child ended by itself, with this result."""

    def on_child_stopped(self, child: str) -> None:
        """A child was stopped by somebody other than this actor."""

    @classmethod
    def migrate(
        cls,
        fields: dict[str, Any],
        version: int,
    ) -> dict[str, Any]:
        """The fields of a state of an older `version`, as JSON, brought to this one."""
        raise BadState(
            f"the state is of version {version}, {cls.__name__} of version {cls.version}: "
            "override `migrate`"
        )


class StateOf:
    """Reads and writes the state of one actor class; made when the component is built."""

    def __init__(self, kind: type[Actor]) -> None:
        self.kind = kind
        if "__dataclass_fields__" not in vars(kind):
            if inspect.get_annotations(kind):
                raise TypeError(f"{kind.__name__} has fields, so it must be a @dataclass")
            dataclasses.dataclass(kind)
        self.fields = shapes.Fields(kind)
        reserved = [name for name in ENVELOPE if name in self.fields.shapes]
        if reserved:
            raise TypeError(f"{kind.__name__}.{reserved[0]}: the state has this name already")
        self._late = [
            field.name for field in dataclasses.fields(self.fields.kind) if not field.init
        ]

    def initial(self, state: bytes | None, actor_id: str) -> Actor:
        """The actor at its start: the manifest's initial state, or the fields' defaults."""
        actor = self._made({} if state is None else _read(state))
        object.__setattr__(actor, "_actor_id", actor_id)
        return actor

    def load(self, state: bytes | None) -> Actor:
        """The actor of a state. Raises BadState."""
        if state is None:
            raise BadState("there is no state: this actor has not been started")
        return self._made(_read(state))

    def dump(self, actor: Actor) -> bytes:
        """The state of an actor. Raises BadState, naming the field."""
        try:
            return shapes.dumps({"v": self.kind.version, **self.fields.encode(actor)})
        except shapes.Unfit as error:
            raise BadState(f"{self.kind.__name__}.{error}") from None
        except (TypeError, ValueError) as error:
            raise BadState(f"{self._culprit(actor)}: {error}") from None

    def _made(self, value: dict[str, Any]) -> Actor:
        version = value.get("v", self.kind.version)
        fields = value
        for name in ENVELOPE:
            fields.pop(name, None)
        if version != self.kind.version:
            fields = self.kind.migrate(fields, version)
        try:
            values = self.fields.decode(fields)
        except shapes.Unfit as error:
            raise BadState(str(error)) from None
        late = {name: values.pop(name) for name in self._late if name in values}
        actor = self.kind(**values)
        for name, item in late.items():
            object.__setattr__(actor, name, item)
        return actor

    def _culprit(self, actor: Actor) -> str:
        for name, shape in self.fields.shapes.items():
            try:
                shapes.dumps(shape.encode(getattr(actor, name)))
            except (TypeError, ValueError):
                return f"{self.kind.__name__}.{name}"
        return self.kind.__name__


def _read(state: bytes) -> dict[str, Any]:
    try:
        value = shapes.loads(state)
    except ValueError as error:
        raise BadState(f"the state is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadState("the state is not a JSON object")
    return value
