"""StatusNotification of OCPP 2.0.1: whether a connector is taken."""

from __future__ import annotations

from supervision.csms import v201
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services


def _status(services: Services, incoming: Incoming) -> Payload:
    common.status(services, incoming, v201.status(incoming.payload))
    return {}


HANDLER = Handler(hot=_status)
