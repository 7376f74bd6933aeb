"""Starts and kills servers quickly: a process that has imported the program and forks it on demand.

    python -m tests.crash.nursery serve --http 127.0.0.1:0 ...

Reads ``start``, ``kill`` and ``stop`` on stdin. A fork is a whole process of the service, with its own
sockets, threads and database connections; it only saves the two seconds of importing. `start` is answered
by the server's own ready line, the others by {"ended": status}.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import supervision.app
import supervision.demo  # noqa: F401 - everything a server could import lazily is in memory before the fork
from supervision.cli import main as supervision_command


def serve() -> int:
    """Fork a server; return its process id."""
    process = os.fork()
    if process == 0:
        supervision_command(sys.argv[1:], prog_name="supervision")
    return process


def end(process: int, how: signal.Signals) -> None:
    """Signal the server, wait until it is gone, and tell how it ended."""
    os.kill(process, how)
    _, status = os.waitpid(process, 0)
    sys.stdout.write(json.dumps({"ended": os.waitstatus_to_exitcode(status)}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do as told until stdin ends; no server outlives its orders."""
    process = 0
    for line in iter(sys.stdin.readline, ""):
        if line.strip() == "start":
            process = serve()
        else:
            end(process, signal.SIGKILL if line.strip() == "kill" else signal.SIGTERM)
            process = 0
    if process:
        end(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
