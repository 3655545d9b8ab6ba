"""What is said of the functions of WASI that nothing grants.

Toolchains import most of WASI whether the guest uses it or not. So the runtime gives every import a
function, and one that is not granted traps when it is called, with a text that says what would help.
"""

from __future__ import annotations

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
