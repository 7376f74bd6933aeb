"""One function per incoming message; `table` finds it by version and action."""

from __future__ import annotations

from supervision.csms.frame import Version
from supervision.csms.handlers import ocpp16, ocpp201
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services, UnitHandler

__all__ = ["Handler", "Incoming", "Payload", "Services", "UnitHandler", "find"]

_TABLES = {Version.V16: ocpp16.HANDLERS, Version.V201: ocpp201.HANDLERS}


def find(version: Version, action: str) -> Handler | None:
    """Return the handler of a message a station may send; None when there is no such message."""
    return _TABLES[version].get(action)
