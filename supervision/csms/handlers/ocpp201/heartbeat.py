"""Heartbeat of OCPP 2.0.1: the station lives and sets its clock by ours."""

from __future__ import annotations

from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler

HANDLER = Handler(hot=common.heartbeat)
