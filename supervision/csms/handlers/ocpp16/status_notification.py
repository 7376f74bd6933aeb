"""StatusNotification of OCPP 1.6: what a connector is doing."""

from __future__ import annotations

from supervision.csms import v16
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services


def _status(services: Services, incoming: Incoming) -> Payload:
    common.status(services, incoming, v16.status(incoming.payload))
    return {}


HANDLER = Handler(hot=_status)
