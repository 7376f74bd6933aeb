"""The fuzzer of npm `ocpp-ws-cli`: broken frames without a pause, and a process that does not grow.

FUZZ_SECONDS=60 .venv/bin/python -m pytest tests/e2e/foreign/test_fuzz.py -s
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.process import resident_kib
from tests.process import Server, service

TOOL = Path(__file__).parent / "node_modules/.bin/ocpp-ws-cli"
WORKERS = 4
SECONDS = int(os.environ.get("FUZZ_SECONDS", "6"))
WARM_UP_SECONDS = 6
# Caches and arenas still fill after the warm-up; a frame kept, or what became of one, would cost more.
MOST_GROWTH_KIB = 12 * 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve the stations the fuzzer plays; it can give no password."""
    document = service(*(f"Fuzzer-{number}" for number in range(1, WORKERS + 1)))
    for station in document["charging_stations"]:
        station["security_profile"] = 0
        del station["password"]
    running = Server(tmp_path)
    running.set_up(document)
    running.start()
    yield running
    assert running.stop() == 0


def fuzz(server: Server, directory: Path, seconds: int) -> dict[str, Any]:
    """Let the fuzzer loose for so long; return what it counted."""
    report = ("--report", "json", "--report-dir", directory)
    endpoint = server.ocpp.rstrip("/")
    tool = subprocess.Popen(
        [TOOL, "fuzz", "--flood", "-e", endpoint, "-w", str(WORKERS), *report],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    with pytest.raises(subprocess.TimeoutExpired):  # it goes on until it is told to stop
        tool.wait(timeout=seconds)
    tool.send_signal(signal.SIGINT)
    assert tool.wait() == 0
    (path,) = directory.glob("*.json")
    counted: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    return counted


def test_broken_frames_without_a_pause_are_answered_and_leave_nothing_in_memory(
    server: Server, tmp_path: Path
) -> None:
    fuzz(server, tmp_path / "warm-up", WARM_UP_SECONDS)
    before_kib = resident_kib(server.pid)
    counted = fuzz(server, tmp_path / "fuzz", SECONDS)
    growth_kib = resident_kib(server.pid) - before_kib
    print(f"{counted}, {before_kib} KiB and {growth_kib} more")  # noqa: T201 - with -s
    assert growth_kib <= MOST_GROWTH_KIB
    assert counted["serverErrors"] > 0
    assert server.api("GET", "/charging-stations")[0] == 200
    assert '"level": "ERROR"' not in server.log()
