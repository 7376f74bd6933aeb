"""The suites of npm `ocpp-ws-cli` (transport, RPC, abuse, chaos), run as its users run them.

The tool ends with 0 although a check failed: its report is what counts.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process import SECRET, Server, service

TOOL = Path(__file__).parent / "node_modules/.bin/ocpp-ws-cli"
CHECKS = 21


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve one charging station for each version."""
    running = Server(tmp_path_factory.mktemp("tool"))
    running.set_up(service("CP16", "CS201"))
    running.start()
    yield running
    assert running.stop() == 0
    assert '"level": "ERROR"' not in running.log()


def report_of(server: Server, identity: str, protocol: str, directory: Path) -> dict[str, Any]:
    """Run every suite against one station; return the report."""
    endpoint = server.ocpp.replace("ws://", f"ws://{identity}:{SECRET}@")
    station = ("-e", endpoint, "-i", identity, "-p", protocol)
    said = subprocess.run(
        [TOOL, "test", *station, "--suite", "all", "--report", "json", "--report-dir", directory],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    reports = list(directory.glob("*.json"))
    assert len(reports) == 1, said[-2000:]
    found: dict[str, Any] = json.loads(reports[0].read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("identity", "protocol"), [("CP16", "ocpp1.6"), ("CS201", "ocpp2.0.1")])
def test_every_check_of_the_tool_passes(server: Server, tmp_path: Path, identity: str, protocol: str) -> None:
    report = report_of(server, identity, protocol, tmp_path)
    assert [check for check in report["testResults"] if not check["passed"]] == []
    assert (report["metrics"]["totalTestsRun"], report["metrics"]["testsPassed"]) == (CHECKS, CHECKS)
