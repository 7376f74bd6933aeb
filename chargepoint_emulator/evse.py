"""The states of one EVSE as a table: the only place that says which event leads where.

Names follow OCPP 1.6 §4.9 where it has one; PLUGGED, AUTHORISED and READY are its *Preparing* told apart
(cable only, token only, both: the charging transaction runs but no energy has flowed yet).
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an EVSE stands."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    PLUGGED = "plugged"
    AUTHORISED = "authorised"
    READY = "ready"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    FINISHING = "finishing"
    FAULTED = "faulted"
    UNAVAILABLE = "unavailable"


class Event(StrEnum):
    """What can happen to an EVSE."""

    PLUG = "plug"
    UNPLUG = "unplug"
    AUTHORISE = "authorise"
    TIMEOUT = "timeout"
    ENERGY_FLOWS = "energy_flows"
    EV_STOPS = "ev_stops"
    EVSE_STOPS = "evse_stops"
    END = "end"
    FAULT = "fault"
    DISABLE = "disable"
    RESTORE = "restore"
    RESTORE_PLUGGED = "restore_plugged"
    RESERVE = "reserve"
    RELEASE = "release"


S, E = State, Event

_RUNNING = {
    E.UNPLUG: S.AVAILABLE,
    E.ENERGY_FLOWS: S.CHARGING,
    E.EV_STOPS: S.SUSPENDED_EV,
    E.EVSE_STOPS: S.SUSPENDED_EVSE,
    E.END: S.FINISHING,
    E.FAULT: S.FAULTED,
}

TABLE: dict[State, dict[Event, State]] = {
    S.AVAILABLE: {
        E.PLUG: S.PLUGGED,
        E.AUTHORISE: S.AUTHORISED,
        E.RESERVE: S.RESERVED,
        E.FAULT: S.FAULTED,
        E.DISABLE: S.UNAVAILABLE,
    },
    S.RESERVED: {
        E.PLUG: S.PLUGGED,
        E.AUTHORISE: S.AUTHORISED,
        E.RELEASE: S.AVAILABLE,
        E.FAULT: S.FAULTED,
        E.DISABLE: S.UNAVAILABLE,
    },
    S.PLUGGED: {
        E.UNPLUG: S.AVAILABLE,
        E.AUTHORISE: S.READY,
        E.FAULT: S.FAULTED,
        E.DISABLE: S.UNAVAILABLE,
    },
    S.AUTHORISED: {
        E.PLUG: S.READY,
        E.TIMEOUT: S.AVAILABLE,
        E.FAULT: S.FAULTED,
        E.DISABLE: S.UNAVAILABLE,
    },
    S.READY: _RUNNING,
    S.CHARGING: _RUNNING,
    S.SUSPENDED_EV: _RUNNING,
    S.SUSPENDED_EVSE: _RUNNING,
    S.FINISHING: {
        E.UNPLUG: S.AVAILABLE,
        E.AUTHORISE: S.READY,
        E.FAULT: S.FAULTED,
        E.DISABLE: S.UNAVAILABLE,
    },
    # A cable may move while the EVSE is out of service: the state stays, the caller remembers the cable.
    S.FAULTED: {
        E.PLUG: S.FAULTED,
        E.UNPLUG: S.FAULTED,
        E.RESTORE: S.AVAILABLE,
        E.RESTORE_PLUGGED: S.PLUGGED,
        E.DISABLE: S.UNAVAILABLE,
    },
    S.UNAVAILABLE: {
        E.PLUG: S.UNAVAILABLE,
        E.UNPLUG: S.UNAVAILABLE,
        E.RESTORE: S.AVAILABLE,
        E.RESTORE_PLUGGED: S.PLUGGED,
        E.FAULT: S.FAULTED,
    },
}

RUNNING_STATES = frozenset({S.READY, S.CHARGING, S.SUSPENDED_EV, S.SUSPENDED_EVSE})

STATUS_16 = {
    S.AVAILABLE: "Available",
    S.RESERVED: "Reserved",
    S.PLUGGED: "Preparing",
    S.AUTHORISED: "Preparing",
    S.READY: "Preparing",
    S.CHARGING: "Charging",
    S.SUSPENDED_EV: "SuspendedEV",
    S.SUSPENDED_EVSE: "SuspendedEVSE",
    S.FINISHING: "Finishing",
    S.FAULTED: "Faulted",
    S.UNAVAILABLE: "Unavailable",
}

STATUS_201 = {
    S.AVAILABLE: "Available",
    S.RESERVED: "Reserved",
    S.PLUGGED: "Occupied",
    S.AUTHORISED: "Available",
    S.READY: "Occupied",
    S.CHARGING: "Occupied",
    S.SUSPENDED_EV: "Occupied",
    S.SUSPENDED_EVSE: "Occupied",
    S.FINISHING: "Occupied",
    S.FAULTED: "Faulted",
    S.UNAVAILABLE: "Unavailable",
}

CHARGING_STATE_201 = {
    S.READY: "EVConnected",
    S.CHARGING: "Charging",
    S.SUSPENDED_EV: "SuspendedEV",
    S.SUSPENDED_EVSE: "SuspendedEVSE",
    S.FINISHING: "EVConnected",
    S.PLUGGED: "EVConnected",
}


def next_state(state: State, event: Event) -> State | None:
    """Return where ``event`` leads, or None when it cannot happen there (and nothing changes)."""
    return TABLE[state].get(event)
