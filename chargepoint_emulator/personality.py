"""How stations differ from what the standard asks: a table, so that a new misbehaviour is one row."""

from __future__ import annotations

from dataclasses import dataclass, field

from chargepoint_emulator.profiles import Capabilities, Purpose, Unit


@dataclass(frozen=True, kw_only=True)
class Personality:
    """Traits of a station; the defaults are those of a good one.

    A good station boots once per power-up and greets a reconnection with a Heartbeat and its states (1.6J
    §5.4, 2.0.1 B04). ``answers_calls`` names the only CALLs it implements.
    """

    name: str
    capabilities: Capabilities = field(default_factory=Capabilities)
    boots_on_reconnect: bool = False
    greets_on_reconnect: bool = True
    obeys_profiles: bool = True
    clock_skew_s: float = 0.0
    reports_meter: bool = True
    answers_calls: frozenset[str] | None = None


_NO_STATION_MAX = frozenset({Purpose.TX_DEFAULT, Purpose.TX})

PERSONALITIES = {
    one.name: one
    for one in (
        Personality(name="good"),
        Personality(name="boot_after_reconnect", boots_on_reconnect=True),
        Personality(name="no_boot_after_reconnect", greets_on_reconnect=False),
        Personality(name="ignores_profiles", obeys_profiles=False),
        Personality(name="rejects_stack_above_0", capabilities=Capabilities(max_stack_level=0)),
        Personality(name="single_period", capabilities=Capabilities(max_periods=1)),
        Personality(name="two_periods", capabilities=Capabilities(max_periods=2)),
        Personality(name="watts_only", capabilities=Capabilities(units=frozenset({Unit.WATT}))),
        Personality(name="amperes_only", capabilities=Capabilities(units=frozenset({Unit.AMPERE}))),
        Personality(name="rejects_station_max", capabilities=Capabilities(purposes=_NO_STATION_MAX)),
        Personality(
            name="rejects_tx_profile",
            capabilities=Capabilities(purposes=frozenset({Purpose.STATION_MAX, Purpose.TX_DEFAULT})),
        ),
        Personality(name="clock_skew", clock_skew_s=420.0),
        Personality(name="silent_meter", reports_meter=False),
        Personality(
            name="answers_core_only",
            answers_calls=frozenset(
                {"RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction"}
                | {"RequestStopTransaction", "Reset", "ChangeAvailability", "UnlockConnector"}
                | {"GetConfiguration", "ChangeConfiguration", "GetVariables", "SetVariables"}
            ),
        ),
    )
}
