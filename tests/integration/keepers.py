"""Runs what keeps stations as they should be: events delivered as they come, without waiting for clocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from supervision.clock import FixedClock
from supervision.csms.local_list_sync import LocalListService
from supervision.store.db import Database
from supervision.store.outbox import Consumer, Outbox
from tests.integration.ocpp_client import Responder, Server, until

Json = dict[str, Any]
STAFF_BADGE = "04A1B2C3"


def list_keeper(server: Server, db: Database, clock: FixedClock) -> LocalListService:
    """Return the keeper of local lists of a running central system."""
    return LocalListService(db=db, clock=clock, commands=server.commands, registry=server.central.registry)


async def deliver_until(
    db: Database,
    clock: FixedClock,
    consumer: Consumer,
    condition: Callable[[], Awaitable[bool]],
) -> None:
    """Deliver events as they come until the condition holds."""
    outbox = Outbox(db, clock, [consumer])

    async def holds() -> bool:
        await outbox.drain()
        return await condition()

    await until(holds)


class ListStation:
    """A station's side of the local list: answers in order what the test says, and keeps every list sent."""

    def __init__(self, protocol: str, *answers: str, version: int = 0, limits: Json | None = None) -> None:
        self.is_16 = protocol == "ocpp1.6"
        self.version = version
        self.sent: list[Json] = []
        self._answers = list(answers)
        self._limits = limits or {}

    @property
    def respond(self) -> Responder:
        """What the charge point of the tests answers with."""
        return self._respond

    def _respond(self, action: str, payload: Json) -> Json:
        if action == "GetLocalListVersion":
            return {"listVersion" if self.is_16 else "versionNumber": self.version}
        if action == "SendLocalList":
            self.sent.append(payload)
            status = self._answers.pop(0) if self._answers else "Accepted"
            if status == "Accepted":
                self.version = payload["listVersion" if self.is_16 else "versionNumber"]
            return {"status": status}
        if action == "GetConfiguration":
            known = [{"key": key, "value": value, "readonly": True} for key, value in self._limits.items()]
            return {"configurationKey": known}
        if action == "GetVariables":
            return {"getVariableResult": [{**payload["getVariableData"][0], **self._variable()}]}
        return {"status": "Accepted"}

    def _variable(self) -> Json:
        if not self._limits:
            return {"attributeStatus": "UnknownVariable"}
        return {"attributeStatus": "Accepted", "attributeValue": self._limits["ItemsPerMessage"]}

    def tokens(self) -> list[list[str]]:
        """The badges of each list sent, removals with a minus."""
        return [[self._token(entry) for entry in one.get("localAuthorizationList", [])] for one in self.sent]

    def _token(self, entry: Json) -> str:
        token, info = (
            (entry["idTag"], "idTagInfo") if self.is_16 else (entry["idToken"]["idToken"], "idTokenInfo")
        )
        return token if info in entry else f"-{token}"

    def kinds(self) -> list[tuple[str, int]]:
        """Kind and version of each list sent."""
        name = "listVersion" if self.is_16 else "versionNumber"
        return [(one["updateType"], one[name]) for one in self.sent]
