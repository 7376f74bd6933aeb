"""The commands that send a station for a log or for firmware, in the words of its version. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supervision.csms.devices.model import FileKind
from supervision.csms.frame import Version
from supervision.kernel.timespan import format_instant

RETRIES, RETRY_INTERVAL_S = 3, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A CALL ready to be sent."""

    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What proves that firmware comes from its maker: PEM certificate, Base64 signature (L01)."""

    signing_certificate: str
    signature: str


def log_order(version: Version, kind: FileKind, location: str, request_id: int) -> Order:
    """Ask for diagnostics or for the security log; 1.6 knows the latter by its security extension."""
    if version is Version.V16 and kind is FileKind.DIAGNOSTICS:
        payload = {"location": location, "retries": RETRIES, "retryInterval": RETRY_INTERVAL_S}
        return Order(action="GetDiagnostics", payload=payload)
    wanted = "SecurityLog" if kind is FileKind.SECURITY_LOG else "DiagnosticsLog"
    return Order(
        action="GetLog",
        payload={
            "logType": wanted,
            "requestId": request_id,
            "retries": RETRIES,
            "retryInterval": RETRY_INTERVAL_S,
            "log": {"remoteLocation": location},
        },
    )


def firmware_order(
    version: Version,
    location: str,
    request_id: int,
    *,
    retrieve_at: datetime,
    install_at: datetime | None = None,
    signature: Signature | None = None,
) -> Order:
    """Send for firmware; 1.6 has one message for signed firmware and one for unsigned."""
    again = {"retries": RETRIES, "retryInterval": RETRY_INTERVAL_S}
    if version is Version.V16 and signature is None:
        unsigned = {"location": location, "retrieveDate": format_instant(retrieve_at), **again}
        return Order(action="UpdateFirmware", payload=unsigned)
    firmware = {"location": location, "retrieveDateTime": format_instant(retrieve_at)}
    if install_at is not None:
        firmware["installDateTime"] = format_instant(install_at)
    if signature is not None:
        firmware |= {
            "signingCertificate": signature.signing_certificate,
            "signature": signature.signature,
        }
    action = "SignedUpdateFirmware" if version is Version.V16 else "UpdateFirmware"
    return Order(action=action, payload={"requestId": request_id, "firmware": firmware, **again})
