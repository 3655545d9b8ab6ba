"""Theater runs WebAssembly components as actors whose every step is recorded in a hash chain.

It is layered, lowest first; a module imports from its own layer or a lower one:

    errors ids limits clock   the error tree, how ids are spelled, every bound by name, time
    values                    WIT types and values, CBOR both ways
    chain                     events and their hash, verification, the files
    manifest                  what an actor is and may do
    journal                   the one order of everything that must survive a crash
    store                     content by hash, labels, blobs
    engine                    components and instances; the only layer that knows wasmtime
    handlers                  what a component may call, one folder an interface
    runtime                   keeps actors alive: mailboxes, calls, recovery, replay
    protocol                  what goes over the wire
    server, client, build     the HTTP API, its client, the making of components
    cli                       the command `theater`
    testing                   doubles for users' own tests

ARCHITECTURE.md follows a message through them.
"""

__version__ = "0.1.0"
