"""The settings we advise for every station of a shared car park, each with its reason (pure data).

Nothing is written to a station before an organisation takes them over; from then on they are its own wishes.
What an organisation has chosen elsewhere, such as its master pass group, it has wished for already.
"""

from __future__ import annotations

from supervision.csms.desired import Wish

MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC"
REGISTER = "Energy.Active.Import.Register"

# (1.6 key, 2.0.1 variable, value, reason); None where a version does not have it.
_TABLE: tuple[tuple[str | None, str | None, str, str], ...] = (
    (
        "MeterValueSampleInterval",
        "SampledDataCtrlr.TxUpdatedInterval",
        "60",
        "Whether a station follows its limit is seen within a minute or two",
    ),
    (
        "MeterValuesSampledData",
        "SampledDataCtrlr.TxUpdatedMeasurands",
        MEASURANDS,
        "Energy for the bill, power and current for the plan, state of charge where the car tells it",
    ),
    (
        None,
        "SampledDataCtrlr.TxStartedMeasurands",
        REGISTER,
        "No energy without a reading at the start",
    ),
    (
        None,
        "SampledDataCtrlr.TxEndedMeasurands",
        REGISTER,
        "No energy without a reading at the end",
    ),
    (
        "ClockAlignedDataInterval",
        "AlignedDataCtrlr.Interval",
        "900",
        "A register every quarter of an hour bounds a charge whose end was lost",
    ),
    (
        "MeterValuesAlignedData",
        "AlignedDataCtrlr.Measurands",
        REGISTER,
        "The register is enough for that",
    ),
    (
        "AuthorizeRemoteTxRequests",
        "AuthCtrlr.AuthorizeRemoteStart",
        "false",
        "Who may charge was decided before the remote start was sent",
    ),
    (
        "StopTransactionOnInvalidId",
        "TxCtrlr.StopTxOnInvalidId",
        "true",
        "A charge that is answered Invalid must end",
    ),
    (
        "StopTransactionOnEVSideDisconnect",
        "TxCtrlr.StopTxOnEVSideDisconnect",
        "true",
        "A charge ends with the cable, so that the next driver starts his own",
    ),
    (
        "LocalAuthorizeOffline",
        "AuthCtrlr.LocalAuthorizeOffline",
        "true",
        "Staff can charge a car while the line is down",
    ),
    (
        "LocalPreAuthorize",
        "AuthCtrlr.LocalPreAuthorize",
        "false",
        "While the line is up we decide: a booking may have ended a minute ago",
    ),
    (
        "AllowOfflineTxForUnknownId",
        "AuthCtrlr.OfflineTxForUnknownIdEnabled",
        "false",
        "A badge that nobody knows does not charge for free while the line is down",
    ),
    (
        "AuthorizationCacheEnabled",
        "AuthCacheCtrlr.Enabled",
        "false",
        "A driver's badge is good during his booking only; a remembered answer would go on",
    ),
    (
        "LocalAuthListEnabled",
        "LocalAuthListCtrlr.Enabled",
        "true",
        "The list of badges that need no booking is kept in sync by itself",
    ),
    (
        "ConnectionTimeOut",
        "TxCtrlr.EVConnectionTimeOut",
        "120",
        "Two minutes to plug in after a badge, then the point is free again",
    ),
    (
        "TransactionMessageAttempts",
        "OCPPCommCtrlr.MessageAttempts[TransactionEvent]",
        "10",
        "A station throws a charge away after its last attempt",
    ),
    (
        "WebSocketPingInterval",
        "OCPPCommCtrlr.WebSocketPingInterval",
        "60",
        "Mobile networks forget a silent connection after a few minutes",
    ),
)

_MASTER_REASON = "Badges of the master pass group stop any charge, also while the line is down"


def master_pass(group: str) -> Wish:
    """An organisation's group as its stations must know it to stop a charge by themselves (2.0.1 C16)."""
    return Wish(ocpp="2.0.1", name="AuthCtrlr.MasterPassGroupId", value=group, reason=_MASTER_REASON)


STANDARD: tuple[Wish, ...] = tuple(
    Wish(ocpp=ocpp, name=name, value=value, reason=reason)
    for key, variable, value, reason in _TABLE
    for ocpp, name in (("1.6", key), ("2.0.1", variable))
    if name is not None
)
