"""The generated bindings, typed: which interfaces this component has, and stand-ins for the others.

The bindings are made at each build from the manifest's handlers, so none of them is sure to be
there. The protocols say what the SDK uses of them; a test compares them with what is generated.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol, cast

from theater_guest.errors import NotGranted


class Runtime(Protocol):
    """`theater:simple/runtime`."""

    def log(self, msg: str) -> None: ...
    def shutdown(self, data: bytes | None) -> None: ...


class MessageInfo(Protocol):
    """`theater:agent/context.message-info`."""

    id: str
    origin: Any
    kind: str
    deadline: int | None
    traceparent: str | None


class Context(Protocol):
    """`theater:agent/context`."""

    def message(self) -> MessageInfo | None: ...
    def self_id(self) -> str: ...
    def self_name(self) -> str: ...
    def parent_id(self) -> str | None: ...


class Scheduler(Protocol):
    """`theater:agent/scheduler`."""

    def after(self, delay_ms: int, payload: bytes) -> str: ...
    def every(self, period_ms: int, payload: bytes) -> str: ...
    def cron(self, expression: str, payload: bytes) -> str: ...
    def cancel(self, timer_id: str) -> None: ...
    def pending(self) -> list[str]: ...


class Registry(Protocol):
    """`theater:agent/registry`."""

    def register(self, name: str) -> None: ...
    def unregister(self, name: str) -> None: ...
    def whereis(self, name: str) -> str | None: ...


class ChainEvent(Protocol):
    """`theater:simple/types.chain-event`."""

    hash: bytes
    parent_hash: bytes | None
    event_type: str
    data: bytes
    timestamp: int
    description: str | None


class Supervisor(Protocol):
    """`theater:simple/supervisor`."""

    def spawn(self, manifest: str, init_bytes: bytes | None) -> str: ...
    def resume(self, manifest: str, init_state: bytes | None) -> str: ...
    def list_children(self) -> list[str]: ...
    def stop_child(self, child_id: str) -> None: ...
    def restart_child(self, child_id: str) -> None: ...
    def get_child_state(self, child_id: str) -> bytes | None: ...
    def get_child_events(self, child_id: str) -> list[ChainEvent]: ...


class Supervision(Protocol):
    """`theater:agent/supervision`."""

    def child_status(self, child_id: str) -> Any: ...


class MessageServerHost(Protocol):
    """`theater:simple/message-server-host`."""

    def send(self, actor_id: str, msg: bytes) -> None: ...
    def request(self, actor_id: str, msg: bytes) -> bytes: ...
    def open_channel(self, actor_id: str, initial_msg: bytes) -> str: ...
    def send_on_channel(self, channel_id: str, msg: bytes) -> None: ...
    def close_channel(self, channel_id: str) -> None: ...
    def list_outstanding_requests(self) -> list[str]: ...
    def respond_to_request(self, request_id: str, response: bytes) -> None: ...
    def cancel_request(self, request_id: str) -> None: ...


class StoreRef(Protocol):
    """`theater:simple/store.content-ref`."""

    hash: str


class StoreInterface(Protocol):
    """`theater:simple/store`."""

    ContentRef: type[Any]

    def new(self) -> str: ...
    def store(self, store_id: str, content: bytes) -> StoreRef: ...
    def get(self, store_id: str, content_ref: StoreRef) -> bytes: ...
    def exists(self, store_id: str, content_ref: StoreRef) -> bool: ...
    def label(self, store_id: str, label: str, content_ref: StoreRef) -> None: ...
    def get_by_label(self, store_id: str, label: str) -> StoreRef | None: ...
    def remove_label(self, store_id: str, label: str) -> None: ...
    def remove_from_label(self, store_id: str, label: str, content_ref: StoreRef) -> None: ...
    def store_at_label(self, store_id: str, label: str, content: bytes) -> StoreRef: ...
    def replace_content_at_label(self, store_id: str, label: str, content: bytes) -> StoreRef: ...
    def replace_at_label(self, store_id: str, label: str, content_ref: StoreRef) -> None: ...
    def list_labels(self, store_id: str) -> list[str]: ...
    def list_all_content(self, store_id: str) -> list[StoreRef]: ...
    def calculate_total_size(self, store_id: str) -> int: ...


class HttpResponse(Protocol):
    """`theater:simple/http-types.http-response`."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | None


class HttpClient(Protocol):
    """`theater:simple/http-client`."""

    def send_http(self, req: object) -> HttpResponse: ...


class HttpTypes(Protocol):
    """`theater:simple/http-types`."""

    HttpRequest: type[Any]


class Types(Protocol):
    """`theater:simple/types`."""

    ChannelAccept: type[Any]


class Missing:
    """Stands for an interface that the component was built without: any use raises NotGranted."""

    def __init__(self, interface: str, handler: str) -> None:
        self._text = (
            f"{interface} is not granted: add\n\n"
            f'    [[handler]]\n    type = "{handler}"\n\n'
            "to the manifest and build the actor again"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotGranted(self._text)


def _interface(name: str, handler: str, package: str = "theater:simple") -> Any:
    module = f"wit_world.imports.{name.replace('-', '_')}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        return Missing(f"{package}/{name}", handler)


class _WireError(Exception):
    """Stands for the bindings' error class where there are no bindings, as in unit tests."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


def _wire_error() -> Any:
    try:
        return importlib.import_module("componentize_py_types").Err
    except ModuleNotFoundError:
        return _WireError


Err: Any = _wire_error()
"""What the bindings raise for an error result, and what an export raises to return one."""

runtime = cast(Runtime, _interface("runtime", "runtime"))
context = cast(Context, _interface("context", "context", "theater:agent"))
message_server_host = cast(MessageServerHost, _interface("message-server-host", "message-server"))
scheduler = cast(Scheduler, _interface("scheduler", "scheduler", "theater:agent"))
registry = cast(Registry, _interface("registry", "registry", "theater:agent"))
supervisor = cast(Supervisor, _interface("supervisor", "supervisor"))
supervision = cast(Supervision, _interface("supervision", "supervisor", "theater:agent"))
store = cast(StoreInterface, _interface("store", "store"))
http_client = cast(HttpClient, _interface("http-client", "http-client"))
http_types = cast(HttpTypes, _interface("http-types", "http-client"))
types = cast(Types, _interface("types", "message-server"))
