"""Every operation of the API, in the order of the documentation."""

from __future__ import annotations

from supervision.web.api import (
    bookings,
    charges,
    charging_stations,
    commands,
    configuration,
    devices,
    fleet,
    invoices,
    probes,
    relays,
    security,
    unknown_stations,
)
from supervision.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *charging_stations.OPERATIONS,
    *commands.OPERATIONS,
    *devices.OPERATIONS,
    *security.OPERATIONS,
    *relays.OPERATIONS,
    *unknown_stations.OPERATIONS,
    *configuration.OPERATIONS,
    *probes.OPERATIONS,
    *charges.OPERATIONS,
    *fleet.OPERATIONS,
    *bookings.OPERATIONS,
    *invoices.OPERATIONS,
)
