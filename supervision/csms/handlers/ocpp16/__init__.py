"""The messages of an OCPP 1.6 station, one file each."""

from __future__ import annotations

from collections.abc import Mapping

from supervision.csms.handlers.incoming import Handler
from supervision.csms.handlers.ocpp16 import (
    authorize,
    boot_notification,
    data_transfer,
    diagnostics_status_notification,
    firmware_status_notification,
    heartbeat,
    log_status_notification,
    meter_values,
    security_event_notification,
    sign_certificate,
    signed_firmware_status_notification,
    start_transaction,
    status_notification,
    stop_transaction,
)

HANDLERS: Mapping[str, Handler] = {
    "Authorize": authorize.HANDLER,
    "BootNotification": boot_notification.HANDLER,
    "DataTransfer": data_transfer.HANDLER,
    "DiagnosticsStatusNotification": diagnostics_status_notification.HANDLER,
    "FirmwareStatusNotification": firmware_status_notification.HANDLER,
    "Heartbeat": heartbeat.HANDLER,
    "LogStatusNotification": log_status_notification.HANDLER,
    "MeterValues": meter_values.HANDLER,
    "SecurityEventNotification": security_event_notification.HANDLER,
    "SignCertificate": sign_certificate.HANDLER,
    "SignedFirmwareStatusNotification": signed_firmware_status_notification.HANDLER,
    "StartTransaction": start_transaction.HANDLER,
    "StatusNotification": status_notification.HANDLER,
    "StopTransaction": stop_transaction.HANDLER,
}
