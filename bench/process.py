"""A server process under measurement, and what the kernel knows of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Load:
    """How much others wanted the machine before the measurement."""

    average: float

    @property
    def is_busy(self) -> bool:
        """Whether other work distorts what is measured now."""
        return self.average > 0.5

    @property
    def text(self) -> str:
        """One line about the machine."""
        line = f"Python {platform.python_version()}, {os.cpu_count()} cores, load before {self.average:.1f}"
        return line + (" (busy with other work: expect figures too bad)" if self.is_busy else "")


def load_before() -> Load:
    """Return the load of the last minute."""
    return Load(os.getloadavg()[0])


@contextmanager
def server(name: str, *, stations: int, core: int) -> Iterator[tuple[int, int]]:
    """Run one server pinned to a core; yield its process id and its port."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=_disk()) as directory:
        process = subprocess.Popen(
            [
                "taskset",
                "-c",
                str(core),
                sys.executable,
                "-m",
                "bench.servers",
                name,
                str(stations),
                directory,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield process.pid, int(line)
        finally:
            process.kill()
            process.wait()


def _disk() -> Path:
    """Return a directory on the disk of the checkout: /tmp may be memory, and a commit there is no commit."""
    path = Path("build")
    path.mkdir(exist_ok=True)
    return path


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and all its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    """Return the memory a process holds, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
