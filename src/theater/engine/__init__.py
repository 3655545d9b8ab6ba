"""Components, instances, the compiled call, limits: the only package that knows wasmtime.

    engine      the shared engine; bytes to component
    artifacts   compiled components on disk, made by a bounded process
    reflect     a component's type, as data
    component   what instances share: the linker, the exports
    instance    one store; calls
    call        a running call and what the library calls back
    interrupts  Ctrl-C while a guest runs on the main thread
    lift lower  values out of and into the library's memory
    bridge      the component around a guest through which bytes pass as strings
    native      the library, on plain addresses

Every call goes through an interceptor, which stands around each host call; what comes of it is an
Outcome. No Python exception crosses into wasmtime.
"""

from theater.engine.component import Component
from theater.engine.engine import Engine
from theater.engine.instance import Instance, InstanceLimits, live_instances
from theater.engine.outcome import (
    EndCall,
    Ended,
    GuestError,
    GuestTrap,
    ImportedFunction,
    Interceptor,
    Outcome,
    Returned,
)
from theater.engine.wat import wat

__all__ = [
    "Component",
    "EndCall",
    "Ended",
    "Engine",
    "GuestError",
    "GuestTrap",
    "ImportedFunction",
    "Instance",
    "InstanceLimits",
    "Interceptor",
    "Outcome",
    "Returned",
    "live_instances",
    "wat",
]
