"""What goes over the wire between the server and its clients: pure data, no transport.

    errors    the error body, and the one table between the error tree and HTTP statuses
    actors    actors, and what is asked to start or stop one
    history   events, log lines, and the reports of verify and replay
    names     the paths and header names that both sides must agree on

Every shape refuses unknown fields, so that a misspelt field is an error and not a silence.
"""
