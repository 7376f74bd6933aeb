"""A whole `supervision serve` for tests that use it as a stranger would: by its commands, sockets and API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SECRET = "0123456789abcdef0123"
BADGE = "04A1B2C3"
_COMMAND = [sys.executable, "-m", "supervision"]


def service(*identities: str) -> dict[str, Any]:
    """Return an import document: one station with a charging station and a car for each identity."""
    evse = {"id": 1, "kind": "ac22", "phases": [1, 2, 3], "max_a": 32, "min_a": 6}
    limits = {"battery_wh": 52000, "phases": 3, "max_a": 32, "min_a": 8, "wh_per_km": 165}
    car = {"station": "st", "model": "zoe-52", **limits, "tariff": "t1"}
    place = {"id": "st", "community": "com", "name": "St", "lat": 44.7, "lon": 5.0}
    prices = {"hour_cents": 600, "km_cents": 0, "booking_fee_cents": 100, "late_per_half_hour_cents": 1000}
    manager = {"id": "m1", "email": "m1@example.org", "name": "Manager", "password": "a long passphrase 1"}
    return {
        "organisations": [{"id": "org", "name": "Org"}],
        "communities": [{"id": "com", "organisation": "org", "name": "Com", "zone": "Europe/Paris"}],
        "stations": [{**place, "grid_connection": {"limit_a": [64, 64, 64], "voltage_v": 230}}],
        "charging_stations": [
            {"identity": name, "station": "st", "security_profile": 1, "password": SECRET, "evses": [evse]}
            for name in identities
        ],
        "vehicles": [
            {**car, "id": f"car-{name}", "evse": f"{name}/1", "plate": f"AA-{number:03}-AA"}
            for number, name in enumerate(identities, 1)
        ],
        "people": [{**manager, "roles": [{"role": "fleet_manager", "organisation": "org"}]}],
        "id_tokens": [{"token": BADGE, "type": "ISO14443", "status": "Accepted", "person": "m1"}],
        "tariffs": [{"id": "t1", "community": "com", "valid_from": "2026-01-01", **prices}],
    }


class Server:
    """One data directory, and the process that serves it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.http = self.ocpp = self._token = ""
        self._process: subprocess.Popen[str] | None = None
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SUPERVISION_")},
            "SUPERVISION_DATA": str(home),
            "SUPERVISION_DATABASE": f"sqlite:///{home}/supervision.db",
        }

    def run(self, *arguments: str) -> str:
        """Run one command to its end and return what it printed."""
        done = subprocess.run(
            [*_COMMAND, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set_up(self, document: dict[str, Any]) -> None:
        """Migrate, import the document and make a token for the manager."""
        path = self.home / "service.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        self.run("migrate")
        self.run("import", str(path))
        self._token = self.run("token", "create", "--email", "m1@example.org", "--scope", "admin").split()[-1]

    def start(self) -> None:
        """Serve on free ports; returns when both listeners accept."""
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_COMMAND, "serve", "--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the server ended at once:\n{self.log()[-2000:]}"
        ready = json.loads(line)
        self.http, self.ocpp = ready["http"], ready["ocpp"]

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(timeout=60)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def kill(self) -> None:
        """End the process as a power cut would; one that has ended already stays so."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=60)
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """Return everything the process has logged so far."""
        return (self.home / "server.log").read_text(encoding="utf-8")

    def api(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Call the HTTP API as the manager; return the status and the JSON answered."""
        request = urllib.request.Request(
            f"{self.http}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read() or b"null")

    def items(self, path: str) -> list[dict[str, Any]]:
        """Read a list to its end, page after page."""
        found: list[dict[str, Any]] = []
        joint, after = "&" if "?" in path else "?", ""
        while True:
            code, page = self.api("GET", f"{path}{joint}limit=200{after}")
            assert code == 200, page
            found += page["items"]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"
