"""Every operation of the API, in the order of the documentation."""

from __future__ import annotations

from supervision.web.api import bookings, charges, charging_stations, fleet, invoices
from supervision.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *charging_stations.OPERATIONS,
    *charges.OPERATIONS,
    *fleet.OPERATIONS,
    *bookings.OPERATIONS,
    *invoices.OPERATIONS,
)
