"""Every action of both OCPP versions, who may send it, and which of them carry a charging transaction."""

from __future__ import annotations

from collections.abc import Mapping

from supervision.csms.frame import Version

_FROM_STATION_16 = """
    Authorize BootNotification DataTransfer DiagnosticsStatusNotification FirmwareStatusNotification
    Heartbeat LogStatusNotification MeterValues SecurityEventNotification SignCertificate
    SignedFirmwareStatusNotification StartTransaction StatusNotification StopTransaction
"""
_TO_STATION_16 = """
    CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache
    ClearChargingProfile DataTransfer DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule
    GetConfiguration GetDiagnostics GetInstalledCertificateIds GetLocalListVersion GetLog
    InstallCertificate RemoteStartTransaction RemoteStopTransaction ReserveNow Reset SendLocalList
    SetChargingProfile SignedUpdateFirmware TriggerMessage UnlockConnector UpdateFirmware
"""
_FROM_STATION_201 = """
    Authorize BootNotification ClearedChargingLimit DataTransfer FirmwareStatusNotification
    Get15118EVCertificate GetCertificateStatus Heartbeat LogStatusNotification MeterValues
    NotifyChargingLimit NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds
    NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport NotifyReport
    PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate
    SecurityEventNotification SignCertificate StatusNotification TransactionEvent
"""
_TO_STATION_201 = """
    CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile
    ClearDisplayMessage ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer
    DeleteCertificate GetBaseReport GetChargingProfiles GetCompositeSchedule GetDisplayMessages
    GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport GetReport
    GetTransactionStatus GetVariables InstallCertificate PublishFirmware RequestStartTransaction
    RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SetDisplayMessage
    SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables
    TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware
"""

FROM_STATION: Mapping[Version, frozenset[str]] = {
    Version.V16: frozenset(_FROM_STATION_16.split()),
    Version.V201: frozenset(_FROM_STATION_201.split()),
}
TO_STATION: Mapping[Version, frozenset[str]] = {
    Version.V16: frozenset(_TO_STATION_16.split()),
    Version.V201: frozenset(_TO_STATION_201.split()),
}

# A CALLERROR to one of these makes the station throw the charging transaction away after a few tries
# (1.6 3.7.1, 2.0.1 E13): they are stored and answered whatever they look like.
CARRIES_TRANSACTION: Mapping[Version, frozenset[str]] = {
    Version.V16: frozenset({"StartTransaction", "StopTransaction", "MeterValues"}),
    Version.V201: frozenset({"TransactionEvent", "MeterValues"}),
}
