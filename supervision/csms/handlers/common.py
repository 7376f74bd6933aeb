"""What the messages of both versions have in common once they are translated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, insert, select

from supervision.csms import deciding, holding, machine, model
from supervision.csms.authorising import (
    TokenRequest,
    find_id_token,
    master_pass_group,
    may_stop,
    same_token,
)
from supervision.csms.configuration import ask
from supervision.csms.frame import Version
from supervision.csms.handlers.incoming import Incoming, Payload, Services
from supervision.csms.holding import Registration
from supervision.csms.machine import ChargingTransaction, State
from supervision.csms.masking import token_hint
from supervision.csms.model import (
    ConnectorStatus,
    IdTokenDecision,
    IdTokenStatus,
    MeterReport,
    MeterSample,
    StatusReport,
    TransactionFact,
    trusted_time,
)
from supervision.csms.store import (
    charging_transaction_from,
    insert_charging_transaction,
    open_charging_transactions,
    update_charging_transaction,
    update_station,
)
from supervision.kernel.events import (
    ChargingStationBooted,
    ChargingTransactionEnded,
    ChargingTransactionResumed,
    ChargingTransactionStarted,
    EvseStatusChanged,
)
from supervision.kernel.timespan import format_instant, to_millis
from supervision.store.db import Tx
from supervision.store.schema import (
    authorisation_attempts,
    charging_transactions,
    station_configurations,
    vehicles,
)

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


async def boot(services: Services, incoming: Incoming, tx: Tx, told: model.Boot) -> Registration:
    """Keep what the station said about itself; return how its boot is answered."""
    connection, station = incoming.connection, incoming.station
    held_at, answered = await _registration(services, incoming, tx)
    ocpp = connection.version.number
    connection.expected.clear()
    if answered is Registration.ACCEPTED:
        connection.held = None
        services.connecting.booted(incoming.job, station, incoming.now, ocpp, told.facts())
        tx.emit(ChargingStationBooted(**incoming.station.about))
    else:
        connection.held = answered
        held_since = (held_at or incoming.now) if answered is Registration.PENDING else None
        values: dict[str, Any] = {
            "boot": told.facts(),
            "seen_at": incoming.now,
            "registration": answered.value,
        }
        await update_station(tx, station, **values, held_at=held_since, ocpp=ocpp)
        if answered is Registration.PENDING and held_at is None:
            await ask(tx, services.db, station.organisation_id, station.identity, incoming.now)
    tx.touch(station.topic)
    connection.booted = answered is not Registration.REJECTED
    return answered


async def _registration(
    services: Services, incoming: Incoming, tx: Tx
) -> tuple[datetime | None, Registration]:
    """Since when the station is held, and the answer by its operator's choice and its settings."""
    station = incoming.station
    looked = station_configurations
    row = await services.connecting.policy(tx, station)
    if row is None or row["boot_policy"] is None:
        return None, Registration.ACCEPTED
    found = await tx.first(
        select(looked.c.state, looked.c.checked_at).where(
            looked.c.organisation_id == station.organisation_id,
            looked.c.charging_station == station.identity,
        )
    )
    answered = holding.registration(
        row["boot_policy"],
        held_at=row["held_at"],
        settings_state=None if found is None else found["state"],
        looked_at=None if found is None else found["checked_at"],
    )
    return row["held_at"], answered


def heartbeat(services: Services, incoming: Incoming) -> Payload:
    """Note that the station lives; tell it the hour."""
    connection = incoming.connection
    services.hot.seen(
        incoming.job,
        incoming.station,
        incoming.now,
        connection.clock_offset_ms,
        connection.violations,
    )
    return {"currentTime": format_instant(incoming.now)}


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
            EvseStatusChanged(**incoming.station.about, evse_id=report.evse_id, status=report.status.value)
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


class Purpose(StrEnum):
    """What a badge was shown for, as far as the message says."""

    SHOW = "show"  # Authorize does not say whether to start or to stop
    START = "start"
    STOP = "stop"


async def authorise_start(
    services: Services, incoming: Incoming, tx: Tx, fact: TransactionFact, token_type: str | None = None
) -> IdTokenDecision:
    """Decide a start: one badge charges one car at a time, unless it may charge many.

    The caller has already looked for a repetition of the same start; open rows of the same EVSE are older
    charges whose end was lost and never count (quirk 17).
    """
    token = fact.id_token or ""
    decision = await _decide(services, incoming, tx, token, token_type, fact.evse_id)
    if await _is_master_pass(incoming, tx, decision):
        decision = replace(decision, status=IdTokenStatus.INVALID)  # 2.0.1 C16: it never starts
    elif (
        decision.status is IdTokenStatus.ACCEPTED
        and not decision.many_at_once
        and not fact.offline
        and await _charges_elsewhere(incoming, tx, fact)
    ):
        decision = IdTokenDecision(
            status=IdTokenStatus.CONCURRENT_TX, parent=decision.parent, person_id=decision.person_id
        )
    await _log_attempt(incoming, tx, token, fact.evse_id, Purpose.START, decision)
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
    """Answer Authorize, which may be for a start or for a stop.

    Whoever started a charge here may stop it, whatever became of the badge; so may a good badge of the same
    group, and a master pass where the standard knows it (2.0.1 C16).
    """
    charges = [
        row
        for row in await open_charging_transactions(tx, incoming.station)
        if row["authorisation"] == IdTokenStatus.ACCEPTED.value
    ]
    mine = next((row for row in charges if same_token(row["id_token"], token)), None)
    if mine is not None:
        decision = stored_decision(mine)
    else:
        decision = await _decide(services, incoming, tx, token, token_type, None)
        if incoming.connection.version is Version.V16 and await _is_master_pass(incoming, tx, decision):
            decision = replace(decision, status=IdTokenStatus.INVALID)
        else:
            groups = [row["parent"] for row in charges]
            decision = await _accepted_to_stop(incoming, tx, token, decision, groups)
    await _log_attempt(incoming, tx, token, None, Purpose.SHOW, decision)
    return decision


async def authorise_stop(
    services: Services,
    incoming: Incoming,
    tx: Tx,
    row: Mapping[str, Any] | None,
    token: str,
    token_type: str | None = None,
) -> IdTokenDecision:
    """Decide about the badge that stops a charge: that of the starter, of its group, or a master pass."""
    evse_id = None if row is None else row["evse_id"]
    if row is not None and same_token(row["id_token"], token):
        decision = IdTokenDecision(
            status=IdTokenStatus.ACCEPTED, parent=row["parent"], person_id=row["person_id"]
        )
    else:
        decision = await _decide(services, incoming, tx, token, token_type, evse_id)
        groups = [] if row is None else [row["parent"]]
        decision = await _accepted_to_stop(incoming, tx, token, decision, groups)
    await _log_attempt(incoming, tx, token, evse_id, Purpose.STOP, decision)
    return decision


async def _decide(
    services: Services, incoming: Incoming, tx: Tx, token: str, token_type: str | None, evse_id: int | None
) -> IdTokenDecision:
    """Ask about a badge."""
    station = incoming.station
    request = TokenRequest(
        organisation_id=station.organisation_id,
        station_id=station.station_id,
        charging_station=station.identity,
        evse_id=evse_id,
        token=token,
        token_type=token_type,
    )
    return await services.authoriser.decide(tx, request, incoming.now)


async def _is_master_pass(incoming: Incoming, tx: Tx, decision: IdTokenDecision) -> bool:
    if decision.parent is None:
        return False
    return same_token(decision.parent, await master_pass_group(tx, incoming.station.organisation_id))


async def _accepted_to_stop(
    incoming: Incoming, tx: Tx, token: str, decision: IdTokenDecision, groups: Sequence[str | None]
) -> IdTokenDecision:
    """Accept a badge that may not start a charge here but may stop one of these groups."""
    if decision.status is not IdTokenStatus.INVALID or decision.parent is None:
        return decision
    organisation_id = incoming.station.organisation_id
    allowed = may_stop(
        await find_id_token(tx, organisation_id, token),
        charges_of=groups,
        master_pass=await master_pass_group(tx, organisation_id),
        now=incoming.now,
    )
    return replace(decision, status=IdTokenStatus.ACCEPTED) if allowed else decision


async def _log_attempt(
    incoming: Incoming,
    tx: Tx,
    token: str,
    evse_id: int | None,
    purpose: Purpose,
    decision: IdTokenDecision,
) -> None:
    """Keep the attempt and its answer, with only the badge's last characters."""
    station = incoming.station
    await tx.execute(
        insert(authorisation_attempts).values(
            organisation_id=station.organisation_id,
            charging_station=station.identity,
            evse_id=evse_id,
            at=incoming.now,
            purpose=purpose.value,
            token_hint=token_hint(token),
            status=decision.status.value,
            person_id=decision.person_id,
            booking_id=decision.booking_id,
        )
    )


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
    answered = None if decision is None else decision.status.value
    values = {
        **await deciding.reviewed(tx, incoming.station, None, folded, answered),
        "natural_key": natural_key,
        "ocpp": incoming.connection.version.number,
        "ocpp_transaction_id": ocpp_transaction_id or natural_key,
        "authorisation": answered,
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
    samples: Sequence[MeterSample] = (),
) -> None:
    """Fold one more fact into an existing charging transaction; `samples` came with it."""
    before = charging_transaction_from(row)
    folded = machine.apply(before, fact, max_power_w=max_power(incoming, row, fact))
    known = row["authorisation"] if decision is None else decision.status.value
    values = await deciding.reviewed(tx, incoming.station, row["id"], folded, known, samples)
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
    about: dict[str, Any] = {
        **incoming.station.about,
        "evse_id": after.evse_id,
        "charging_transaction_id": row_id,
    }
    if before is None:
        tx.emit(ChargingTransactionStarted(**about))
    if after.state is State.ENDED and (before is None or before != after):
        tx.emit(ChargingTransactionEnded(**about))
    if after.state is State.OPEN and before is not None and before.state is State.ENDED:
        tx.emit(ChargingTransactionResumed(**about))
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
