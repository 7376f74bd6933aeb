"""The central system without sockets: who may connect, what becomes of each frame, what is answered.

`receive` returns the answer only after frame, effects, events and the answer itself are committed. When the
database cannot commit it raises `StoreUnavailableError`: the shell then closes the socket without an answer,
and the station keeps its queue, where a CALLERROR would lose it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from prometheus_client import Counter as PrometheusCounter
from sqlalchemy import update

from supervision.clock import Clock
from supervision.csms import admission, handlers, holding, metrics, proving
from supervision.csms.admission import PLAIN, Channel, Denial
from supervision.csms.authorising import IdTokenAuthoriser
from supervision.csms.authority import CertificateAuthority
from supervision.csms.catalogue import CARRIES_TRANSACTION, FROM_STATION, TO_STATION
from supervision.csms.commands import CommandService
from supervision.csms.connecting import ConnectPath
from supervision.csms.frame import (
    Call,
    CallError,
    CallResult,
    ErrorCode,
    Malformed,
    MessageId,
    Version,
    action_at_sight,
    read_frame,
    write_error,
    write_result,
)
from supervision.csms.handlers import Handler, Incoming, Payload, Services
from supervision.csms.link import Link
from supervision.csms.outbound import Outbound, QueuedCall
from supervision.csms.registry import Connection, Registry
from supervision.csms.schemas import Checked, read_leniently
from supervision.csms.store import HotPath, Station, update_station
from supervision.kernel.errors import FieldError
from supervision.kernel.events import ChargingStationConnected, ChargingStationDisconnected
from supervision.log import Log
from supervision.store.db import Database, Job, StoreUnavailableError, Tx, across_tenants
from supervision.store.schema import charging_stations

log = Log("supervision.csms")

Settle = Callable[[str, BaseException | None], None]  # told the answer once it is committed, or the error

_START = across_tenants("no station of any organisation is connected when the process starts")
_VIOLATION_KINDS = 200  # of one station that are counted each under its own name
_LOG_LINES = 200  # of one connection about its own faults: a broken station must not fill the disk


class CentralService:
    """Use cases of connected stations. One instance per process.

    `authority` signs certificates of stations; `organisation`, unless empty, must stand in those they show.
    """

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        authoriser: IdTokenAuthoriser,
        registry: Registry,
        commands: CommandService,
        boot_interval_s: int,
        authority: CertificateAuthority | None = None,
        organisation: str = "",
    ) -> None:
        self._db = db
        self._clock = clock
        self._hot = HotPath(db)
        self._connecting = ConnectPath(db)
        self._services = Services(
            db=db,
            hot=self._hot,
            connecting=self._connecting,
            clock=clock,
            authoriser=authoriser,
            boot_interval_s=boot_interval_s,
            authority=authority,
        )
        self._organisation = organisation
        self.boot_interval_s = boot_interval_s
        self.registry = registry
        self.commands = commands

    # --- handshake ------------------------------------------------------------------------------------

    async def authenticate(
        self, identity: str, password: bytes | None, channel: Channel = PLAIN
    ) -> Station | Denial:
        """Return the station when it is registered and reaches its security profile.

        Unknown stations and wrong passwords take the same path and the same time.
        """
        row = await self._connecting.known(identity)
        revoked = await proving.is_revoked(self._db, channel)
        decision = admission.admit(
            proving.stored(row), proving.claim(row, password, channel, revoked=revoked), self._organisation
        )
        if row is None or isinstance(decision, Denial):
            return decision if isinstance(decision, Denial) else Denial.CREDENTIALS
        return Station(
            identity=identity,
            organisation_id=row["organisation_id"],
            station_id=row["station_id"],
            proof=decision,
        )

    async def connect(
        self, station: Station, version: Version, link: Link
    ) -> tuple[Connection, Connection | None]:
        """Enter the new socket and load what its messages will need without asking again.

        Returns the connection and the one it replaces, which the caller must close. The registry comes
        first: from then on the end of an older socket changes nothing.
        """
        connection = Connection(
            station=station,
            version=version,
            link=link,
            outbound=Outbound(lambda call: self._transmit(connection, call)),
            connected_at=self._clock.now(),
        )

        async def unit(tx: Tx) -> None:
            job = Job()
            self._connecting.connected(job, station, connection.connected_at, version.number)
            await tx.append(job)
            await proving.note(tx, station, connection.connected_at)
            await self._connecting.load(tx, connection)
            tx.emit(ChargingStationConnected(**station.about))
            tx.touch(station.topic)

        replaced = self.registry.put(connection)
        try:
            await self._db.write(station.organisation_id, unit)
        except BaseException:
            self.registry.remove(connection)
            raise
        return connection, replaced

    async def disconnect(self, connection: Connection) -> None:
        """Note that the socket is gone, unless a newer one has taken its place."""
        connection.outbound.close()
        if not self.registry.remove(connection):
            return
        station, now = connection.station, self._clock.now()

        async def unit(tx: Tx) -> None:
            values: dict[str, Any] = {"disconnected_at": now, "violations": dict(connection.violations)}
            await update_station(tx, station, **values)
            tx.emit(ChargingStationDisconnected(**station.about))
            tx.touch(station.topic)

        await self._db.write(station.organisation_id, unit)

    async def recover(self) -> None:
        """After a restart: nobody is connected, and what was on its way got no answer."""
        now = self._clock.now()
        table = charging_stations

        async def unit(tx: Tx) -> None:
            await tx.execute(
                update(table)
                .where(table.c.connected_at.is_not(None), table.c.disconnected_at.is_(None))
                .values(disconnected_at=now)
            )

        await self._db.write(_START, unit)
        await self.commands.recover()

    async def probe(self) -> None:
        """Commit something harmless; StoreUnavailableError while the database cannot."""

        async def unit(tx: Tx) -> None:
            await tx.execute(
                update(charging_stations).where(charging_stations.c.identity == "").values(ocpp=None)
            )

        await self._db.write(_START, unit)

    # --- frames ---------------------------------------------------------------------------------------

    async def receive(self, connection: Connection, text: str) -> str | None:
        """Take one text message; return the answer to send, or None."""
        metrics.frames("in", connection.version.number).inc()
        frame = read_frame(text, connection.version)
        match frame:
            case Call():
                return await self._call(connection, frame, text)
            case Malformed():
                return await self._malformed(connection, frame, text)
            case CallResult() | CallError():
                await self._answer(connection, frame, text)
                return None

    def receive_at_once(self, connection: Connection, text: str, settle: Settle) -> bool:
        """Take a message whose handler needs no more than rows; `settle` gets the answer after the commit.

        False means that nothing was done: `receive` must take it, and tells what is wrong with it.
        """
        handler = handlers.find(connection.version, action_at_sight(text) or "")
        if handler is None or handler.hot is None or connection.held is not None:
            return False
        call = read_frame(text, connection.version)
        if not isinstance(call, Call):
            return False
        checked = read_leniently(connection.version, call.action, call.payload, answer=False)
        if checked.broken:
            return False
        incoming = Incoming(connection=connection, payload=checked.payload, now=self._clock.now())
        reply = self._try_hot(incoming, handler, call, text)
        if reply is None:
            return False

        # What waits for its commit holds on to rows and answer, not to the payload: hundreds do at once.
        self._db.append_soon(incoming.job, partial(_committed, settle, reply, metrics.answered(call.action)))
        metrics.frames("in", connection.version.number).inc()
        self._count_violations(connection, call.action, checked)
        return True

    def _try_hot(self, incoming: Incoming, handler: Handler, call: Call, text: str) -> str | None:
        try:
            return self._hot_reply(incoming, handler, call, text)
        except Exception:
            return None  # not lost: `receive` meets it again, where it is told

    async def _call(self, connection: Connection, call: Call, text: str) -> str:
        handler = handlers.find(connection.version, call.action)
        if handler is None:
            return await self._refuse(connection, call.message_id, text, *_no_such(connection, call.action))
        if connection.held is not None and not _is_heard(connection, call.action):
            reason = f"the boot is {connection.held.value}"
            return await self._refuse(connection, call.message_id, text, ErrorCode.SECURITY, reason)
        checked = read_leniently(connection.version, call.action, call.payload, answer=False)
        self._count_violations(connection, call.action, checked)
        carries = call.action in CARRIES_TRANSACTION[connection.version]
        if checked.broken and not carries:
            first = checked.broken[0]
            return await self._refuse(connection, call.message_id, text, first.code, first.text)
        return await self._handle(connection, call, handler, checked, text)

    async def _handle(
        self, connection: Connection, call: Call, handler: Handler, checked: Checked, text: str
    ) -> str:
        incoming = Incoming(connection=connection, payload=checked.payload, now=self._clock.now())
        try:
            answer = await self._run(incoming, handler, call, text)
        except FieldError as error:
            return await self._unusable(connection, call, handler, text, str(error))
        except StoreUnavailableError:
            raise
        except Exception as error:
            # A bug of ours: the station must not pay for it with its charging transaction.
            log.error("ocpp.handler_failed", exc_info=error, **self._keys(connection, action=call.action))
            return await self._unusable(connection, call, handler, text, type(error).__name__)
        metrics.answered(call.action).inc()
        return answer

    async def _run(self, incoming: Incoming, handler: Handler, call: Call, text: str) -> str:
        """Hot if possible; frames, effects and events in one transaction either way."""
        reply = self._hot_reply(incoming, handler, call, text)
        if handler.asking is not None:
            reply = self._kept(incoming, call, text, await handler.asking(self._services, incoming))
        if reply is not None:
            await self._db.append(incoming.job)
            return reply
        if handler.unit is None:
            raise TypeError(f"no handler for {call.action} beyond the hot one")
        return await self._run_unit(incoming, handler.unit, call, text)

    def _hot_reply(self, incoming: Incoming, handler: Handler, call: Call, text: str) -> str | None:
        answer = handler.hot(self._services, incoming) if handler.hot is not None else None
        return None if answer is None else self._kept(incoming, call, text, answer)

    def _kept(self, incoming: Incoming, call: Call, text: str, answer: Payload) -> str:
        """Write the answer, and both frames into the job."""
        reply = write_result(call.message_id, answer)
        self._journal(incoming.job, incoming.connection, incoming.now, text, reply)
        return reply

    async def _run_unit(self, incoming: Incoming, handle: handlers.UnitHandler, call: Call, text: str) -> str:
        async def unit(tx: Tx) -> str:
            reply = self._kept(incoming, call, text, await handle(self._services, incoming, tx))
            await tx.append(incoming.job)
            return reply

        return await self._db.write(incoming.station.organisation_id, unit)

    async def _unusable(
        self, connection: Connection, call: Call, handler: Handler, text: str, reason: str
    ) -> str:
        """Keep what cannot be used; answer it when it carries a charging transaction, refuse it otherwise."""
        if handler.fallback is None:
            return await self._refuse(connection, call.message_id, text, ErrorCode.INTERNAL, "not processed")
        return await self._keep_unread(connection, call.message_id, handler.fallback, text, reason)

    async def _keep_unread(
        self,
        connection: Connection,
        message_id: MessageId,
        fallback: Mapping[str, Any],
        text: str,
        reason: str,
    ) -> str:
        self._tell("ocpp.unreadable_transaction_message", connection, reason=reason)
        metrics.CALLS.labels("transaction", "unreadable").inc()
        return await self._store(connection, text, write_result(message_id, fallback), reason)

    async def _refuse(
        self, connection: Connection, message_id: MessageId, text: str, code: ErrorCode, reason: str
    ) -> str:
        self._tell("ocpp.call_refused", connection, error=code.value, reason=reason)
        metrics.CALLS.labels("refused", code.value).inc()
        return await self._store(
            connection, text, write_error(message_id, code, reason, connection.version), reason
        )

    async def _malformed(self, connection: Connection, frame: Malformed, text: str) -> str | None:
        """Every malformed CALL gets its CALLERROR, except one that may hold a charging transaction."""
        metrics.MALFORMED.labels(frame.code.value).inc()
        action = frame.action or ""
        handler = handlers.find(connection.version, action)
        if handler is not None and handler.fallback is not None and frame.answerable:
            return await self._keep_unread(connection, frame.message_id, handler.fallback, text, frame.reason)
        if frame.answerable:
            return await self._refuse(connection, frame.message_id, text, frame.code, frame.reason)
        self._tell("ocpp.frame_ignored", connection, error=frame.code.value, reason=frame.reason)
        await self._store(connection, text, None, frame.reason)
        return None

    async def _store(self, connection: Connection, text: str, reply: str | None, problem: str) -> str:
        job = Job()
        self._journal(job, connection, self._clock.now(), text, reply, problem)
        await self._db.append(job)
        return reply or ""

    def _journal(
        self,
        job: Job,
        connection: Connection,
        now: datetime,
        text: str,
        reply: str | None,
        problem: str | None = None,
    ) -> None:
        self._hot.frame(job, connection.station, now, "in", text, problem)
        if reply is not None:
            self._hot.frame(job, connection.station, now, "out", reply)

    # --- answers to our own CALLs -----------------------------------------------------------------------

    async def _answer(self, connection: Connection, frame: CallResult | CallError, text: str) -> None:
        job = Job()
        self._hot.frame(job, connection.station, self._clock.now(), "in", text)
        await self._db.append(job)
        if connection.outbound.resolve(frame) or await self.commands.record_late(connection, frame):
            return
        connection.unsolicited += 1
        metrics.UNSOLICITED.inc()
        self._tell("ocpp.unsolicited_answer", connection)

    async def _transmit(self, connection: Connection, call: QueuedCall) -> bool:
        """Journal a CALL of ours, commit, then send it: what was sent is always known afterwards.

        False when its command was called off before that.
        """
        text = await self.commands.sending(connection, call, self._hot)
        if text is None:
            return False
        if connection.held is not None:
            expected, count = holding.expected_after(call.action, call.payload, len(connection.max_power_w))
            connection.expected[expected] += count
        metrics.frames("out", connection.version.number).inc()
        await connection.link.send(text)
        return True

    # --- noticing ---------------------------------------------------------------------------------------

    def _count_violations(self, connection: Connection, action: str, checked: Checked) -> None:
        for violation in checked.tolerated:
            name = f"{action}.{violation.place}.{violation.kind}"[:120]
            if name not in connection.violations and len(connection.violations) >= _VIOLATION_KINDS:
                name = "others"  # a station that invents field names must not fill the memory
            if name not in connection.violations:
                self._tell("ocpp.violation_tolerated", connection, violation=violation.text, action=action)
            connection.violations[name] += 1
            metrics.VIOLATIONS.labels(violation.kind).inc()

    def _tell(self, event: str, connection: Connection, **keys: object) -> None:
        """Log about a station's faults, within its allowance of lines."""
        connection.log_lines += 1
        if connection.log_lines <= _LOG_LINES:
            log.warning(event, **self._keys(connection, **keys))
        elif connection.log_lines == _LOG_LINES + 1:
            log.warning("ocpp.further_faults_not_logged", **self._keys(connection))

    @staticmethod
    def _keys(connection: Connection, **keys: object) -> dict[str, object]:
        return {"charging_station": connection.station.identity, "ocpp": connection.version.number, **keys}


def _is_heard(connection: Connection, action: str) -> bool:
    """Of a held 2.0.1 station: boots, charging transactions, and what we asked for (B02.FR.09, B03.FR.07)."""
    if connection.version is Version.V16 or action in holding.ALWAYS_HEARD:
        return True
    if connection.expected[action] == 0:
        return False
    connection.expected[action] -= 1
    return True


def _committed(
    settle: Settle, reply: str, answered: PrometheusCounter, _: object, error: BaseException | None
) -> None:
    if error is None:
        answered.inc()
    settle(reply, error)


def _no_such(connection: Connection, action: str) -> tuple[ErrorCode, str]:
    """An action only we may send is not supported from a station; any other is not implemented."""
    if action in TO_STATION[connection.version]:
        return ErrorCode.NOT_SUPPORTED, "this message goes from the central system to the station"
    other = Version.V201 if connection.version is Version.V16 else Version.V16
    known = " in another version" if action in FROM_STATION[other] else ""
    return ErrorCode.NOT_IMPLEMENTED, f"unknown action{known}"
