"""What the messages of both versions have in common once they are translated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select

from supervision.csms import machine, model
from supervision.csms.authorising import TokenRequest
from supervision.csms.handlers.incoming import Incoming, Services
from supervision.csms.machine import ChargingTransaction, Doubt, State
from supervision.csms.model import (
    ConnectorStatus,
    IdTokenDecision,
    IdTokenStatus,
    MeterReport,
    StatusReport,
    TransactionFact,
    trusted_time,
)
from supervision.csms.store import (
    charging_transaction_from,
    folded_values,
    insert_charging_transaction,
    open_charging_transactions,
    update_charging_transaction,
    update_station,
)
from supervision.kernel.events import (
    ChargingStationBooted,
    ChargingTransactionEnded,
    ChargingTransactionStarted,
    EvseStatusChanged,
)
from supervision.kernel.timespan import to_millis
from supervision.store.db import Tx
from supervision.store.schema import authorisation_attempts, charging_transactions, vehicles

_IDLE = frozenset(
    {
        ConnectorStatus.AVAILABLE,
        ConnectorStatus.PREPARING,
        ConnectorStatus.FINISHING,
        ConnectorStatus.RESERVED,
        ConnectorStatus.UNAVAILABLE,
        ConnectorStatus.FAULTED,
    }
)
_LONGEST_OFFSET = timedelta(days=1)  # a larger difference is an old message, not a wrong clock
_HINT_CHARS = 4


async def boot(incoming: Incoming, tx: Tx, told: model.Boot) -> None:
    """Keep what the station said about itself."""
    connection = incoming.connection
    await update_station(
        tx,
        incoming.station,
        boot=told.facts(),
        booted_at=incoming.now,
        seen_at=incoming.now,
        ocpp=connection.version.number,
    )
    tx.emit(ChargingStationBooted(**_about(incoming)))
    tx.touch(incoming.station.topic)
    connection.booted = True


def heartbeat(services: Services, incoming: Incoming) -> None:
    """Note that the station lives."""
    connection = incoming.connection
    services.hot.seen(
        incoming.job,
        incoming.station,
        incoming.now,
        connection.clock_offset_ms,
        connection.violations,
    )


def status(services: Services, incoming: Incoming, report: StatusReport) -> None:
    """Keep the newest status of an EVSE by the station's own time; tell the others only when it changed."""
    connection, at = incoming.connection, trusted_time(report.at, incoming.now)
    note_clock(incoming, report.at)
    known, known_at = connection.statuses.get(report.evse_id, (ConnectorStatus.UNKNOWN, None))
    if known_at is not None and at < known_at:
        return
    connection.statuses[report.evse_id] = (report.status, at)
    services.hot.status(incoming.job, incoming.station, report, at)
    if report.status in _IDLE:
        services.hot.power(incoming.job, incoming.station, report.evse_id, 0, (0, 0, 0), to_millis(at))
    incoming.job.topics.add(incoming.station.topic)
    if known != report.status and report.evse_id > 0:
        incoming.job.events.append(
            EvseStatusChanged(**_about(incoming), evse_id=report.evse_id, status=report.status.value)
        )


def note_clock(incoming: Incoming, at: datetime | None) -> None:
    """Estimate how far the station's clock is off; positive means ahead of ours."""
    if at is not None and abs(at - incoming.now) < _LONGEST_OFFSET:
        incoming.connection.clock_offset_ms = (at - incoming.now) // timedelta(milliseconds=1)


def readings(services: Services, incoming: Incoming, report: MeterReport, row_id: int | None) -> None:
    """Store readings; those of an open charging transaction also move its last register."""
    job, station = incoming.job, incoming.station
    registers = services.hot.samples(job, station, report.evse_id, report.samples, incoming.now, row_id)
    if row_id is not None:
        for rank, register_wh in registers:
            services.hot.last_register(job, station, row_id, register_wh, rank)


# --- badges -------------------------------------------------------------------------------------------


async def authorise(
    services: Services, incoming: Incoming, tx: Tx, token: str, token_type: str | None, evse_id: int | None
) -> IdTokenDecision:
    """Ask about a badge and keep the attempt, with only the badge's last characters."""
    station = incoming.station
    request = TokenRequest(
        organisation_id=station.organisation_id,
        station_id=station.station_id,
        charging_station=station.identity,
        evse_id=evse_id,
        token=token,
        token_type=token_type,
    )
    decision = await services.authoriser.decide(tx, request, incoming.now)
    await tx.execute(
        insert(authorisation_attempts).values(
            organisation_id=station.organisation_id,
            charging_station=station.identity,
            evse_id=evse_id,
            at=incoming.now,
            token_hint=token[-_HINT_CHARS:],
            status=decision.status.value,
            person_id=decision.person_id,
            booking_id=decision.booking_id,
        )
    )
    return decision


async def authorise_start(
    services: Services, incoming: Incoming, tx: Tx, fact: TransactionFact, token_type: str | None = None
) -> IdTokenDecision:
    """Decide a start: one badge charges one car at a time, unless it may charge many.

    The caller has already looked for a repetition of the same start; open rows of the same EVSE are older
    charges whose end was lost and never count (quirk 17).
    """
    decision = await authorise(services, incoming, tx, fact.id_token or "", token_type, fact.evse_id)
    if decision.status is not IdTokenStatus.ACCEPTED or decision.many_at_once or fact.offline:
        return decision
    if await _charges_elsewhere(incoming, tx, fact):
        return IdTokenDecision(
            status=IdTokenStatus.CONCURRENT_TX, parent=decision.parent, person_id=decision.person_id
        )
    return decision


async def _charges_elsewhere(incoming: Incoming, tx: Tx, fact: TransactionFact) -> bool:
    table, station = charging_transactions, incoming.station
    open_rows = await tx.all(
        select(table.c.charging_station, table.c.evse_id).where(
            table.c.organisation_id == station.organisation_id,
            table.c.state == State.OPEN.value,
            table.c.authorisation == IdTokenStatus.ACCEPTED.value,
            func.lower(table.c.id_token) == (fact.id_token or "").lower(),
        )
    )
    here = (station.identity, fact.evse_id)
    return any((row["charging_station"], row["evse_id"]) != here for row in open_rows)


async def authorise_shown(
    services: Services, incoming: Incoming, tx: Tx, token: str, token_type: str | None
) -> IdTokenDecision:
    """Answer Authorize. Whoever started a charge here may always stop it, whatever became of the badge."""
    for row in await open_charging_transactions(tx, incoming.station):
        if same_token(row["id_token"], token) and row["authorisation"] == IdTokenStatus.ACCEPTED.value:
            return stored_decision(row)
    return await authorise(services, incoming, tx, token, token_type, None)


def same_token(one: str | None, other: str | None) -> bool:
    """Compare badges without regard to case; nothing equals nothing."""
    return one is not None and other is not None and one.casefold() == other.casefold()


def stored_decision(row: Mapping[str, Any]) -> IdTokenDecision:
    """The answer already given for a charging transaction."""
    status = IdTokenStatus(row["authorisation"] or IdTokenStatus.INVALID.value)
    return IdTokenDecision(
        status=status, parent=row["parent"], person_id=row["person_id"], booking_id=row["booking_id"]
    )


# --- charging transactions ------------------------------------------------------------------------------


def max_power(incoming: Incoming, row: Mapping[str, Any] | None, fact: TransactionFact) -> float | None:
    """What the EVSE can deliver; None when the EVSE is not registered."""
    evse_id = (row["evse_id"] if row is not None else 0) or fact.evse_id or 0
    return incoming.connection.max_power_w.get(evse_id)


async def create(
    services: Services,
    incoming: Incoming,
    tx: Tx,
    fact: TransactionFact,
    decision: IdTokenDecision | None,
    *,
    natural_key: str,
    ocpp_transaction_id: str | None,
) -> tuple[int, str]:
    """Insert a charging transaction; return the row's id and the id OCPP knows it by.

    In 1.6 the OCPP id is ours: the row's own, from a sequence that never restarts.
    """
    folded = machine.apply(None, fact, max_power_w=max_power(incoming, None, fact))
    person = decision or IdTokenDecision(status=IdTokenStatus.INVALID)
    values = {
        **_reviewed(folded, decision),
        "natural_key": natural_key,
        "ocpp": incoming.connection.version.number,
        "ocpp_transaction_id": ocpp_transaction_id or natural_key,
        "authorisation": None if decision is None else decision.status.value,
        "parent": person.parent,
        "person_id": person.person_id,
        "booking_id": person.booking_id,
        "vehicle_id": person.vehicle_id or await _vehicle_at(incoming, tx, folded.evse_id),
    }
    row_id = await insert_charging_transaction(tx, services.db, incoming.station, values)
    known_as = ocpp_transaction_id or str(row_id)
    if ocpp_transaction_id is None:
        await update_charging_transaction(tx, incoming.station, row_id, {"ocpp_transaction_id": known_as})
    _tell(incoming, tx, None, folded, row_id, known_as)
    _power_off_at_end(services, incoming, None, folded)
    return row_id, known_as


async def extend(
    services: Services,
    incoming: Incoming,
    tx: Tx,
    row: Mapping[str, Any],
    fact: TransactionFact,
    decision: IdTokenDecision | None = None,
) -> None:
    """Fold one more fact into an existing charging transaction."""
    before = charging_transaction_from(row)
    folded = machine.apply(before, fact, max_power_w=max_power(incoming, row, fact))
    values = _reviewed(folded, decision or _decision_in(row))
    if decision is not None:
        values |= {
            "authorisation": decision.status.value,
            "parent": decision.parent,
            "person_id": decision.person_id,
            "booking_id": decision.booking_id,
        }
    if folded.evse_id != before.evse_id and row["vehicle_id"] is None:
        values["vehicle_id"] = await _vehicle_at(incoming, tx, folded.evse_id)
    await update_charging_transaction(tx, incoming.station, row["id"], values)
    _tell(incoming, tx, before, folded, row["id"], row["ocpp_transaction_id"])
    _power_off_at_end(services, incoming, before, folded)


def _decision_in(row: Mapping[str, Any]) -> IdTokenDecision | None:
    return None if row["authorisation"] is None else stored_decision(row)


def _reviewed(folded: ChargingTransaction, decision: IdTokenDecision | None) -> dict[str, Any]:
    """The folded values, with a doubt of their own when the badge was not accepted."""
    values = folded_values(folded)
    if decision is not None and decision.status is not IdTokenStatus.ACCEPTED:
        values["review"] = ",".join(filter(None, [folded.review, Doubt.UNKNOWN_TOKEN.value]))
    return values


async def _vehicle_at(incoming: Incoming, tx: Tx, evse_id: int) -> str | None:
    """The shared car whose bay this is: who else would charge there."""
    station = incoming.station
    found: str | None = await tx.scalar(
        select(vehicles.c.id).where(
            vehicles.c.organisation_id == station.organisation_id,
            vehicles.c.charging_station == station.identity,
            vehicles.c.evse_id == evse_id,
            vehicles.c.withdrawn_at.is_(None),
        )
    )
    return found


def _tell(
    incoming: Incoming,
    tx: Tx,
    before: ChargingTransaction | None,
    after: ChargingTransaction,
    row_id: int,
    known_as: str,
) -> None:
    about = {**_about(incoming), "evse_id": after.evse_id, "charging_transaction_id": row_id}
    if before is None:
        tx.emit(ChargingTransactionStarted(**about))
    if after.state is State.ENDED and (before is None or before != after):
        tx.emit(ChargingTransactionEnded(**about))
    tx.touch(incoming.station.topic)
    if after.state is State.OPEN:
        incoming.connection.open_transactions[known_as] = (row_id, after.evse_id)
    else:
        incoming.connection.open_transactions.pop(known_as, None)


def _power_off_at_end(
    services: Services, incoming: Incoming, before: ChargingTransaction | None, after: ChargingTransaction
) -> None:
    ended_now = after.state is State.ENDED and (before is None or before.state is State.OPEN)
    if ended_now and after.stopped_at is not None and after.evse_id:
        at = to_millis(after.stopped_at)
        services.hot.power(incoming.job, incoming.station, after.evse_id, 0, (0, 0, 0), at)


def _about(incoming: Incoming) -> dict[str, Any]:
    station = incoming.station
    return {
        "organisation_id": station.organisation_id,
        "charging_station": station.identity,
        "station_id": station.station_id,
    }
