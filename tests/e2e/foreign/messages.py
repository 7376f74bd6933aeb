"""One valid payload for every message of both versions, and what our strict charge point answers."""

from __future__ import annotations

from typing import Any

Payloads = dict[str, dict[str, Any]]
OK = {"status": "Accepted"}
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "n", "issuerKeyHash": "k", "serialNumber": "1"}

# --- OCPP 1.6 ---------------------------------------------------------------------------------------

_PERIODS_16 = [{"startPeriod": 0, "limit": 16.0}]
_PROFILE_16 = {
    "chargingProfileId": 900,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": _PERIODS_16},
}

# The CALLs a central system may send (1.6 edition 2 and the security whitepaper): payload and answer.
COMMANDS_16: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CancelReservation": ({"reservationId": 1}, OK),
    "CertificateSigned": ({"certificateChain": "PEM"}, OK),
    "ChangeAvailability": ({"connectorId": 1, "type": "Operative"}, OK),
    "ChangeConfiguration": ({"key": "MeterValueSampleInterval", "value": "60"}, OK),
    "ClearCache": ({}, OK),
    "ClearChargingProfile": ({"id": 900}, OK),
    "DataTransfer": ({"vendorId": "org.example", "data": "héllo"}, {"status": "UnknownVendorId"}),
    "DeleteCertificate": ({"certificateHashData": HASH}, OK),
    "ExtendedTriggerMessage": ({"requestedMessage": "Heartbeat"}, OK),
    "GetCompositeSchedule": (
        {"connectorId": 1, "duration": 3600, "chargingRateUnit": "A"},
        {**OK, "connectorId": 1, "scheduleStart": "2026-01-01T00:00:00Z",
         "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": _PERIODS_16}},
    ),
    "GetConfiguration": (
        {"key": ["HeartbeatInterval"]},
        {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]},
    ),
    "GetDiagnostics": ({"location": "ftp://files.example.org/"}, {"fileName": "log.zip"}),
    "GetInstalledCertificateIds": (
        {"certificateType": "CentralSystemRootCertificate"}, {"status": "NotFound"},
    ),
    "GetLocalListVersion": ({}, {"listVersion": 0}),
    "GetLog": ({"logType": "DiagnosticsLog", "requestId": 1, "log": {"remoteLocation": "ftp://f/"}}, OK),
    "InstallCertificate": (
        {"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"}, {"status": "Rejected"},
    ),
    "RemoteStartTransaction": ({"idTag": "04A1B2C3", "connectorId": 1}, OK),
    "RemoteStopTransaction": ({"transactionId": 0}, {"status": "Rejected"}),
    "ReserveNow": (
        {"connectorId": 1, "expiryDate": "2035-01-01T00:00:00Z", "idTag": "04A1B2C3", "reservationId": 1}, OK,
    ),
    "Reset": ({"type": "Soft"}, OK),
    "SendLocalList": ({"listVersion": 1, "updateType": "Full", "localAuthorizationList": []}, OK),
    "SetChargingProfile": ({"connectorId": 1, "csChargingProfiles": _PROFILE_16}, OK),
    "SignedUpdateFirmware": (
        {"requestId": 1, "firmware": {"location": "ftp://f/", "retrieveDateTime": "2035-01-01T00:00:00Z",
                                      "signingCertificate": "PEM", "signature": "S"}}, OK,
    ),
    "TriggerMessage": ({"requestedMessage": "Heartbeat"}, OK),
    "UnlockConnector": ({"connectorId": 1}, {"status": "Unlocked"}),
    "UpdateFirmware": ({"location": "ftp://f/", "retrieveDate": "2035-01-01T00:00:00Z"}, {}),
}  # fmt: skip

# What a station may send beside its day's work.
REPORTS_16: Payloads = {
    "DataTransfer": {"vendorId": "org.example"},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "LogStatusNotification": {"status": "Idle", "requestId": 1},
    "SecurityEventNotification": {"type": "StartupOfTheDevice", "timestamp": "2026-01-01T00:00:00Z"},
    "SignCertificate": {"csr": "CSR"},
    "SignedFirmwareStatusNotification": {"status": "Idle"},
}

# --- OCPP 2.0.1 -------------------------------------------------------------------------------------

_CERTIFICATE = {**HASH, "responderURL": "https://ocsp.example.org"}
_VARIABLE = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "ProfileStackLevel"}}
_SCHEDULE_201 = {
    "id": 1,
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
}
_PROFILE_201 = {
    "id": 900,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [_SCHEDULE_201],
}
_BADGE_201 = {"idToken": "04A1B2C3", "type": "ISO14443"}
_MESSAGE = {"id": 1, "priority": "NormalCycle", "message": {"format": "UTF8", "content": "Bienvenue"}}
_NETWORK = {
    "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": "wss://csms.example.org",
    "messageTimeout": 30, "securityProfile": 2, "ocppInterface": "Wired0",
}  # fmt: skip

COMMANDS_201: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CancelReservation": ({"reservationId": 1}, OK),
    "CertificateSigned": ({"certificateChain": "PEM"}, OK),
    "ChangeAvailability": ({"operationalStatus": "Operative"}, OK),
    "ClearCache": ({}, OK),
    "ClearChargingProfile": ({"chargingProfileId": 900}, OK),
    "ClearDisplayMessage": ({"id": 1}, OK),
    "ClearVariableMonitoring": ({"id": [1]}, {"clearMonitoringResult": [{**OK, "id": 1}]}),
    "CostUpdated": ({"totalCost": 1.5, "transactionId": "tx"}, {}),
    "CustomerInformation": ({"requestId": 1, "report": True, "clear": False}, OK),
    "DataTransfer": ({"vendorId": "org.example"}, {"status": "UnknownVendorId"}),
    "DeleteCertificate": ({"certificateHashData": HASH}, OK),
    "GetBaseReport": ({"requestId": 1, "reportBase": "FullInventory"}, OK),
    "GetChargingProfiles": ({"requestId": 1, "chargingProfile": {"stackLevel": 0}}, {"status": "NoProfiles"}),
    "GetCompositeSchedule": (
        {"evseId": 1, "duration": 3600},
        {**OK, "schedule": {"evseId": 1, "duration": 3600, "scheduleStart": "2026-01-01T00:00:00Z",
                            "chargingRateUnit": "A",
                            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}},
    ),
    "GetDisplayMessages": ({"requestId": 1}, OK),
    "GetInstalledCertificateIds": ({}, {"status": "NotFound"}),
    "GetLocalListVersion": ({}, {"versionNumber": 0}),
    "GetLog": ({"logType": "DiagnosticsLog", "requestId": 1, "log": {"remoteLocation": "ftp://f/"}}, OK),
    "GetMonitoringReport": ({"requestId": 1}, {"status": "EmptyResultSet"}),
    "GetReport": ({"requestId": 1}, OK),
    "GetTransactionStatus": ({}, {"messagesInQueue": False}),
    "GetVariables": (
        {"getVariableData": [_VARIABLE]},
        {"getVariableResult": [{**_VARIABLE, "attributeStatus": "Accepted", "attributeValue": "8"}]},
    ),
    "InstallCertificate": (
        {"certificateType": "CSMSRootCertificate", "certificate": "PEM"}, {"status": "Rejected"},
    ),
    "PublishFirmware": ({"location": "https://f/", "checksum": "c", "requestId": 1}, OK),
    "RequestStartTransaction": ({"idToken": _BADGE_201, "remoteStartId": 1, "evseId": 1}, OK),
    "RequestStopTransaction": ({"transactionId": "none"}, {"status": "Rejected"}),
    "ReserveNow": ({"id": 1, "expiryDateTime": "2035-01-01T00:00:00Z", "idToken": _BADGE_201}, OK),
    "Reset": ({"type": "OnIdle"}, OK),
    "SendLocalList": ({"versionNumber": 1, "updateType": "Full"}, OK),
    "SetChargingProfile": ({"evseId": 1, "chargingProfile": _PROFILE_201}, OK),
    "SetDisplayMessage": ({"message": _MESSAGE}, OK),
    "SetMonitoringBase": ({"monitoringBase": "All"}, OK),
    "SetMonitoringLevel": ({"severity": 5}, OK),
    "SetNetworkProfile": ({"configurationSlot": 1, "connectionData": _NETWORK}, OK),
    "SetVariableMonitoring": (
        {"setMonitoringData": [{"value": 1.0, "type": "Periodic", "severity": 5, **_VARIABLE}]},
        {"setMonitoringResult": [{"status": "Rejected", "type": "Periodic", "severity": 5, **_VARIABLE}]},
    ),
    "SetVariables": (
        {"setVariableData": [{**_VARIABLE, "attributeValue": "8"}]},
        {"setVariableResult": [{**_VARIABLE, "attributeStatus": "Accepted"}]},
    ),
    "TriggerMessage": ({"requestedMessage": "Heartbeat"}, OK),
    "UnlockConnector": ({"evseId": 1, "connectorId": 1}, {"status": "Unlocked"}),
    "UnpublishFirmware": ({"checksum": "c"}, {"status": "NoFirmware"}),
    "UpdateFirmware": (
        {"requestId": 1, "firmware": {"location": "https://f/", "retrieveDateTime": "2035-01-01T00:00:00Z"}},
        OK,
    ),
}  # fmt: skip

_AT = "2026-01-01T00:00:00Z"
REPORTS_201: Payloads = {
    "ClearedChargingLimit": {"chargingLimitSource": "EMS"},
    "DataTransfer": {"vendorId": "org.example"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Get15118EVCertificate": {
        "iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "RVhJ",
    },
    "GetCertificateStatus": {"ocspRequestData": _CERTIFICATE},
    "LogStatusNotification": {"status": "Idle"},
    "NotifyChargingLimit": {"chargingLimit": {"chargingLimitSource": "EMS"}},
    "NotifyCustomerInformation": {"data": "d", "seqNo": 0, "generatedAt": _AT, "requestId": 1},
    "NotifyDisplayMessages": {"requestId": 1},
    "NotifyEVChargingNeeds": {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}},
    "NotifyEVChargingSchedule": {"timeBase": _AT, "evseId": 1, "chargingSchedule": _SCHEDULE_201},
    "NotifyEvent": {
        "generatedAt": _AT, "seqNo": 0,
        "eventData": [{"eventId": 1, "timestamp": _AT, "trigger": "Alerting", "actualValue": "1",
                       "eventNotificationType": "HardWiredNotification", **_VARIABLE}],
    },
    "NotifyMonitoringReport": {"requestId": 1, "seqNo": 0, "generatedAt": _AT},
    "NotifyReport": {
        "requestId": 1, "seqNo": 0, "generatedAt": _AT,
        "reportData": [{**_VARIABLE, "variableAttribute": [{"value": "8"}]}],
    },
    "PublishFirmwareStatusNotification": {"status": "Idle"},
    "ReportChargingProfiles": {
        "requestId": 1, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [_PROFILE_201],
    },
    "ReservationStatusUpdate": {"reservationId": 1, "reservationUpdateStatus": "Expired"},
    "SecurityEventNotification": {"type": "StartupOfTheDevice", "timestamp": _AT},
    "SignCertificate": {"csr": "CSR"},
}  # fmt: skip


def answers(commands: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> Payloads:
    """Return what the charge point answers to each command."""
    return {action: answer for action, (_, answer) in commands.items()}
