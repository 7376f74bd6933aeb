"""MeterValues of OCPP 2.0.1: readings outside of any charge."""

from __future__ import annotations

from supervision.csms import v201
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services


def _meter_values(services: Services, incoming: Incoming) -> Payload:
    common.readings(services, incoming, v201.meter_values(incoming.payload), None)
    return {}


HANDLER = Handler(hot=_meter_values, fallback={})
