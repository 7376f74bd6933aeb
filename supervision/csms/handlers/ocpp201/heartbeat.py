"""Heartbeat of OCPP 2.0.1: the station lives and sets its clock by ours."""

from __future__ import annotations

from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.kernel.timespan import format_instant


def _heartbeat(services: Services, incoming: Incoming) -> Payload:
    common.heartbeat(services, incoming)
    return {"currentTime": format_instant(incoming.now)}


HANDLER = Handler(hot=_heartbeat)
