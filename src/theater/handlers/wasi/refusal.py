"""The functions of WASI that nothing grants.

Toolchains import most of WASI whether the guest uses it or not. So every import gets a function,
and one that is not granted traps when it is called, with a text that says what would grant it.
"""

from __future__ import annotations

from typing import NoReturn

from theater.handlers.port import Effect, HostFunction, Trap

INSTEAD = {
    "wasi:http": (
        "import theater:simple/http-client, which these lines of the manifest grant:\n"
        "[[handler]]\n"
        'type = "http-client"\n'
        'allowed_hosts = ["example.com"]'
    ),
}
"""By WASI package: how to get the same in another way."""


def refusal_text(interface: str, function: str) -> str:
    """What an operator reads when a guest called `function` of the recorded `interface`."""
    package, _, _ = interface.partition("/")
    if not interface.endswith("@0.2"):
        reason = f"{interface} is not granted: guests are given WASI 0.2 only"
    else:
        reason = f"{interface} is not granted, and no handler of this version grants it"
    text = f"the guest called {interface}/{function}; {reason}."
    instead = INSTEAD.get(package)
    return text if instead is None else f"{text} Instead, {instead}"


def refusal(interface: str, function: str) -> HostFunction:
    """The function that stands in for one that is not granted. That it was called is an event."""
    text = refusal_text(interface, function)

    def refuse(*_: object) -> NoReturn:
        raise Trap("denied", text)

    return HostFunction(Effect.RECORDED, refuse)
