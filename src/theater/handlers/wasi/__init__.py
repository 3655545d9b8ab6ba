"""WASI 0.2 for guests, without anything of the machine behind it.

Clock and randomness are virtual, standard output becomes lines of the chain, the environment is
empty, and there are no files, sockets or HTTP. Nothing here is recorded but the lines, because all
else is a function of what the call's `wasm-call` event holds.

    clocks randomness poll streams cli filesystem    one module for each group of interfaces
    tables                                           what lives as long as the guest's instance
    refusal                                          what is said of functions that nothing grants
    handler grant                                    the two that the runtime and manifests see
"""

from theater.handlers.wasi.grant import WasiGrant
from theater.handlers.wasi.handler import WasiHandler
from theater.handlers.wasi.refusal import refusal_text

__all__ = ["WasiGrant", "WasiHandler", "refusal_text"]
