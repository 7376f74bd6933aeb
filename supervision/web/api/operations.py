"""Every operation of the API, in the order of the documentation."""

from __future__ import annotations

from supervision.web.api import bookings, charging_stations, commands, devices, fleet, invoices
from supervision.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *charging_stations.OPERATIONS,
    *commands.OPERATIONS,
    *devices.OPERATIONS,
    *fleet.OPERATIONS,
    *bookings.OPERATIONS,
    *invoices.OPERATIONS,
)
