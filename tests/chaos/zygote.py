"""A process that has the server's code imported and forks a `theater server` when it is told to.

What is forked is the real command with its arguments, its own process, its own data directory; only
the second of importing is saved, hundreds of times. Each order comes with the two descriptors that
become the child's output; the answer is the child's process id.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from typing import NoReturn

import theater.cli.commands.serving
import theater.runtime.node
import theater.server.daemon  # noqa: F401 - imported for the children
from theater.cli.program import theater as command

PR_SET_PDEATHSIG = 1
ORDER_BYTES_MAX = 65_536


def _serve(arguments: list[str], output: int, errors: int) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.closerange(3, 256)
    command.main(args=arguments, prog_name="theater")
    os._exit(0)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orders = socket.socket(fileno=int(sys.argv[1]))
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, ORDER_BYTES_MAX, 2)
        if not order:
            return
        child = os.fork()
        if child == 0:
            _serve(json.loads(order), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        orders.sendall(f"{child}\n".encode())


if __name__ == "__main__":
    main()
