"""Where a relay may dial: hosts that the operator of the server has named, and nothing else (pure).

Who administers a charging station is not who runs the server: without the operator's list a form would make
the server call whatever its network reaches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from supervision.kernel.errors import Refused

LONGEST_URL = 500
LONGEST_IDENTITY = 48
_HIGHEST_PORT = 65535
_URL = re.compile(
    r"(wss?)://(\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::(\d{1,5}))?"
    r"((?:/[A-Za-z0-9._~-]+)*)/?"
)
_HOST_CHARS = re.compile(r"(?i)(wss?)://[^/?#]*")
_IDENTITY = re.compile(rf"[A-Za-z0-9._~*=+|@-]{{1,{LONGEST_IDENTITY}}}")
_USUAL_PORTS: Mapping[str, int] = {"ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that was read: the host in small letters, IPv6 in brackets; the path without last slash."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The address in one spelling."""
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"


def read_target(url: str) -> Target | None:
    """Read an address; None for another scheme, a user or password, a query, a fragment, an odd path."""
    if len(url) > LONGEST_URL:
        return None
    found = _URL.fullmatch(_HOST_CHARS.sub(lambda place: place[0].lower(), url.strip()))
    if found is None:
        return None
    scheme, host, port, path = found.groups()
    number = int(port) if port else _USUAL_PORTS[scheme]
    steps = path.split("/")
    if not 0 < number <= _HIGHEST_PORT or {".", ".."} & set(steps):
        return None
    return Target(scheme=scheme, host=host, port=number, path=path)


def named_hosts(setting: str) -> frozenset[str]:
    """Return the hosts of the operator's list: HOST (any port) or HOST:PORT, separated by commas."""
    return frozenset(entry.strip().lower() for entry in setting.split(",") if entry.strip())


def refuse_target(url: str, hosts: frozenset[str]) -> Refused | None:
    """Return why a relay must not dial there, None when it may."""
    if not hosts:
        return Refused("relay_off")
    target = read_target(url)
    if target is None:
        return Refused("relay_url")
    if not {target.host, f"{target.host}:{target.port}"} & hosts:
        return Refused("relay_host", {"host": target.host})
    return None


def is_identity(text: str) -> bool:
    """Tell whether a station can be known by this name there: it stands in an address and before a colon."""
    return _IDENTITY.fullmatch(text) is not None and text not in {".", ".."}
