"""Certificates of charging stations, from the request to the end: sign, send, follow, take back.

Signing happens behind the outbox: the station's request was answered before (A02.FR.05 and its twin of the
security whitepaper), and an event seen twice signs and sends once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from supervision.clock import Clock
from supervision.csms import certificate_store as store
from supervision.csms.authority import CertificateAuthority, Issued
from supervision.csms.certificate_store import CertificateState
from supervision.csms.commands import CommandResult, CommandService, CommandState
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    CertificateInstalled,
    CertificateRefused,
    CertificateRequested,
    ChargingStationConnected,
    ChargingStationEvent,
    CommandFinished,
)
from supervision.log import Log
from supervision.store.db import Database, Tx
from supervision.store.outbox import Consumer, Delivery

log = Log("supervision.csms.certificates")

DELIVER_WITHIN_S = 600
_OFFER_AGAIN = timedelta(days=1)  # a station that never takes it asks again by itself
_LOST = (CommandState.OFFLINE, CommandState.TIMEOUT)

Row = Mapping[str, Any]


class CertificateService:
    """Use cases of the authority; one instance per process."""

    def __init__(
        self, *, db: Database, clock: Clock, commands: CommandService, authority: CertificateAuthority
    ) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self.authority = authority

    def consumer(self) -> Consumer:
        """Return the outbox consumer."""
        wanted = (CertificateRequested, CommandFinished, ChargingStationConnected)
        return Consumer("certificates", wanted, self._handle)

    async def revoke(self, organisation_id: str, identity: str, certificate_id: int) -> Row | Refused:
        """Take a certificate back: it opens nothing any more, and OCSP says so."""
        now = self._clock.now()

        async def unit(tx: Tx) -> Row | None:
            row = await store.certificate(tx, organisation_id, certificate_id)
            if row is None or row["charging_station"] != identity or row["fingerprint"] is None:
                return None
            await store.change(
                tx,
                organisation_id,
                certificate_id,
                CertificateState.ISSUED,
                CertificateState.INSTALLED,
                CertificateState.REJECTED,
                state=CertificateState.REVOKED.value,
                revoked_at=now,
            )
            return await store.certificate(tx, organisation_id, certificate_id)

        row = await self._db.write(organisation_id, unit)
        return Refused("certificate_unknown", {"certificate": certificate_id}) if row is None else row

    # --- events ---------------------------------------------------------------------------------------

    async def _handle(self, delivery: Delivery) -> None:
        match delivery.event:
            case CertificateRequested() as event:
                await self._sign_and_send(event, event.certificate_id)
            case CommandFinished(action="CertificateSigned") as event:
                await self._follow(event)
            case ChargingStationConnected() as event:
                await self._offer_again(event)

    async def _sign_and_send(self, event: ChargingStationEvent, certificate_id: int) -> None:
        row = await self._row(event, certificate_id)
        if row is not None and row["state"] == CertificateState.REQUESTED:
            await self._sign(event, row)
            row = await self._row(event, certificate_id)
        if row is not None and row["state"] == CertificateState.ISSUED:
            await self._send(event, row)

    async def _row(self, event: ChargingStationEvent, certificate_id: int) -> Row | None:
        async with self._db.read(event.organisation_id) as reader:
            return await store.certificate(reader, event.organisation_id, certificate_id)

    async def _sign(self, event: ChargingStationEvent, row: Row) -> None:
        signed = await self.authority.sign(row["csr"], event.charging_station, self._clock.now())
        if isinstance(signed, Refused):
            await self._refuse(event, row["id"], CertificateState.REFUSED, signed.code)
            return
        values = _issued_values(signed)

        async def unit(tx: Tx) -> None:
            await store.change(tx, event.organisation_id, row["id"], CertificateState.REQUESTED, **values)
            tx.touch(f"station:{event.station_id}")

        await self._db.write(event.organisation_id, unit)
        log.info("certificates.signed", charging_station=event.charging_station, serial=signed.serial)

    async def _send(self, event: ChargingStationEvent, row: Row) -> None:
        before = await self._sent(event, row)
        if before is not None and before.state not in _LOST:
            return  # on its way, or answered: what the station said is followed by itself
        payload = {"certificateChain": row["chain"]}
        if row["kind"] is not None:
            payload["certificateType"] = row["kind"]
        sent = await self._commands.enqueue(
            event.organisation_id,
            event.charging_station,
            "CertificateSigned",
            payload,
            expires_s=DELIVER_WITHIN_S,
            origin="csms",
        )
        if isinstance(sent, Refused) or sent.state is CommandState.REFUSED:
            await self._refuse(event, row["id"], CertificateState.REFUSED, "not_sendable")
            return

        async def unit(tx: Tx) -> None:
            await store.change(
                tx, event.organisation_id, row["id"], CertificateState.ISSUED, command_id=sent.id
            )

        await self._db.write(event.organisation_id, unit)

    async def _sent(self, event: ChargingStationEvent, row: Row) -> CommandResult | None:
        if row["command_id"] is None:
            return None
        return await self._commands.result(event.organisation_id, row["command_id"])

    async def _follow(self, event: CommandFinished) -> None:
        """Keep what the station said; without an answer the certificate is offered again when it is back."""
        async with self._db.read(event.organisation_id) as reader:
            row = await store.certificate_sent_by(reader, event.organisation_id, event.command_id)
        result = await self._commands.result(event.organisation_id, event.command_id)
        if row is None or result is None or result.state in _LOST:
            return
        if (result.response or {}).get("status") == "Accepted":
            await self._installed(event, row["id"])
            return
        reason = str((result.error or {}).get("code") or "rejected_by_station")
        await self._refuse(event, row["id"], CertificateState.REJECTED, reason)

    async def _installed(self, event: ChargingStationEvent, certificate_id: int) -> None:
        values = {"state": CertificateState.INSTALLED.value, "installed_at": self._clock.now()}

        async def unit(tx: Tx) -> None:
            if await store.change(
                tx, event.organisation_id, certificate_id, CertificateState.ISSUED, **values
            ):
                tx.emit(CertificateInstalled(**_about(event), certificate_id=certificate_id))
            tx.touch(f"station:{event.station_id}")

        await self._db.write(event.organisation_id, unit)

    async def _refuse(
        self, event: ChargingStationEvent, certificate_id: int, state: CertificateState, reason: str
    ) -> None:
        async def unit(tx: Tx) -> None:
            if await store.change(
                tx,
                event.organisation_id,
                certificate_id,
                CertificateState.REQUESTED,
                CertificateState.ISSUED,
                state=state.value,
                reason=reason,
            ):
                tx.emit(CertificateRefused(**_about(event), certificate_id=certificate_id, reason=reason))
            tx.touch(f"station:{event.station_id}")

        await self._db.write(event.organisation_id, unit)
        log.warning("certificates.refused", charging_station=event.charging_station, reason=reason)

    async def _offer_again(self, event: ChargingStationConnected) -> None:
        async with self._db.read(event.organisation_id) as reader:
            rows = await store.certificates_of(reader, event.organisation_id, event.charging_station, limit=1)
        for row in rows:
            fresh = self._clock.now() - row["requested_at"] < _OFFER_AGAIN
            if row["state"] == CertificateState.ISSUED and fresh:
                await self._send(event, row)


def _issued_values(signed: Issued) -> dict[str, Any]:
    return {
        "state": CertificateState.ISSUED.value,
        "chain": signed.chain,
        "serial": signed.serial,
        "fingerprint": signed.fingerprint,
        "not_before": signed.not_before,
        "not_after": signed.not_after,
    }


def _about(event: ChargingStationEvent) -> dict[str, str]:
    return {
        "organisation_id": event.organisation_id,
        "charging_station": event.charging_station,
        "station_id": event.station_id,
    }
