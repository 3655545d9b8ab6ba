"""The HTTP API of a node.

    daemon       the process: socket, loop, signals, the order of stopping
    connection   bounds on connections, heads and slowness
    guard        token, Host, Origin
    app          guard, hot routes, router; where errors become answers
    exchange     one request and its answer
    messages     hot routes: send, request
    histories    events and logs as streams
    management   everything else
    routes       all routes as data; openapi makes the document of them
    dispatch     what can be asked of a node, as coroutines; bridge and feed carry its answers
    credentials  token and server.json: how clients on this machine find and convince the server

Knows no wasm. What a client may do is decided by the guard; what an actor may do, by its grants.
"""
