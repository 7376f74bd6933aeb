"""A real PostgreSQL for the tests, started by them on a free port and gone when they end."""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg

APT_LINE = "apt-get install -y --no-install-recommends postgresql"
_ACCOUNTS = ("postgres", "nobody")  # PostgreSQL refuses to run as root

# Ten times faster than a new database for each test. The role switches triggers and references off.
_EMPTY = """
SET session_replication_role = replica;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$ DECLARE item record; BEGIN
  FOR item IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
    IF item.name NOT IN ({keep}) THEN
      EXECUTE format('DROP TABLE %I CASCADE', item.name);
    ELSIF item.name <> 'alembic_version' THEN
      EXECUTE format('DELETE FROM %I', item.name);
    END IF;
  END LOOP;
  FOR item IN SELECT sequencename AS name FROM pg_sequences WHERE last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', item.name);
  END LOOP;
END $$"""


class PostgresMissingError(RuntimeError):
    """There is no PostgreSQL on this machine; the message says what installs it."""


def _binary(name: str) -> str:
    """Find a program of PostgreSQL: in PATH, or where Debian keeps the newest version."""
    found = shutil.which(name)
    if found is not None:
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    if not installed:
        raise PostgresMissingError(f"{name} not found: the tests need PostgreSQL; as root: {APT_LINE}")
    return str(installed[-1])


def _account() -> pwd.struct_passwd | None:
    """Return the unprivileged account to change to when we are root; None: stay who we are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in _ACCOUNTS if name in known)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """A running server; `create` makes a database, empty or a copy of another."""

    def __init__(self, home: Path, account: pwd.struct_passwd | None) -> None:
        self._home = home
        self._user = account and account.pw_uid
        self._group = account and account.pw_gid
        self._extra_groups: list[int] | None = None if account is None else []
        self._numbers = itertools.count(1)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        """Return the URL of a database, as an operator would write it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """Make an empty database and return its name."""
        name = f"test_{next(self._numbers)}"
        self._sql("postgres", f"CREATE DATABASE {name}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self._sql("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def empty(self, name: str, *, keep: Iterable[str]) -> None:
        """Delete every row of the tables `keep` and every other table; numbers start again."""
        self._sql(name, _EMPTY.format(keep=", ".join(f"'{table}'" for table in keep)))

    def start(self) -> None:
        """Make the cluster and serve it; returns when it accepts connections."""
        self._run([_binary("initdb"), "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"])
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._home,
            "fsync": "off",  # the data is thrown away; durability is SQLite's and the operator's test
            "full_page_writes": "off",
            "max_connections": 300,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [_binary("postgres"), "-D", "data", *options],
                stdout=log,
                stderr=log,
                cwd=self._home,
                user=self._user,
                group=self._group,
                extra_groups=self._extra_groups,
            )
        self._wait()

    def stop(self) -> None:
        """End the server, breaking what is still connected."""
        if self._process is not None:
            self._process.send_signal(2)  # SIGINT: fast shutdown
            self._process.wait(timeout=60)

    def _wait(self) -> None:
        ready = [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(600):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start:\n{(self._home / 'log').read_text()}")

    def _sql(self, name: str, statements: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.url(name))
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as pool:  # a thread of its own: the test's loop is left alone
            pool.submit(lambda: asyncio.run(run())).result()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            cwd=self._home,
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._group,
            extra_groups=self._extra_groups,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed: {done.stderr}")


@contextmanager
def running() -> Iterator[PostgresServer]:
    """Run a server for the length of a `with` block."""
    _binary("initdb")  # before anything is made: the message names the apt line
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    if account is not None:
        os.chown(home, account.pw_uid, account.pw_gid)
    server = PostgresServer(home, account)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
