"""The messages of an OCPP 2.0.1 station, one file each."""

from __future__ import annotations

from collections.abc import Mapping

from supervision.csms.handlers.incoming import Handler
from supervision.csms.handlers.ocpp201 import (
    authorize,
    boot_notification,
    cleared_charging_limit,
    data_transfer,
    firmware_status_notification,
    get15118_ev_certificate,
    get_certificate_status,
    heartbeat,
    log_status_notification,
    meter_values,
    notify_charging_limit,
    notify_customer_information,
    notify_display_messages,
    notify_ev_charging_needs,
    notify_ev_charging_schedule,
    notify_event,
    notify_monitoring_report,
    notify_report,
    publish_firmware_status_notification,
    report_charging_profiles,
    reservation_status_update,
    security_event_notification,
    sign_certificate,
    status_notification,
    transaction_event,
)

HANDLERS: Mapping[str, Handler] = {
    "Authorize": authorize.HANDLER,
    "BootNotification": boot_notification.HANDLER,
    "ClearedChargingLimit": cleared_charging_limit.HANDLER,
    "DataTransfer": data_transfer.HANDLER,
    "FirmwareStatusNotification": firmware_status_notification.HANDLER,
    "Get15118EVCertificate": get15118_ev_certificate.HANDLER,
    "GetCertificateStatus": get_certificate_status.HANDLER,
    "Heartbeat": heartbeat.HANDLER,
    "LogStatusNotification": log_status_notification.HANDLER,
    "MeterValues": meter_values.HANDLER,
    "NotifyChargingLimit": notify_charging_limit.HANDLER,
    "NotifyCustomerInformation": notify_customer_information.HANDLER,
    "NotifyDisplayMessages": notify_display_messages.HANDLER,
    "NotifyEVChargingNeeds": notify_ev_charging_needs.HANDLER,
    "NotifyEVChargingSchedule": notify_ev_charging_schedule.HANDLER,
    "NotifyEvent": notify_event.HANDLER,
    "NotifyMonitoringReport": notify_monitoring_report.HANDLER,
    "NotifyReport": notify_report.HANDLER,
    "PublishFirmwareStatusNotification": publish_firmware_status_notification.HANDLER,
    "ReportChargingProfiles": report_charging_profiles.HANDLER,
    "ReservationStatusUpdate": reservation_status_update.HANDLER,
    "SecurityEventNotification": security_event_notification.HANDLER,
    "SignCertificate": sign_certificate.HANDLER,
    "StatusNotification": status_notification.HANDLER,
    "TransactionEvent": transaction_event.HANDLER,
}
