"""NotifyEvent of OCPP 2.0.1: what the monitors of a station have noticed."""

from __future__ import annotations

from supervision.csms.devices.reading import monitored_events
from supervision.csms.handlers import notices

HANDLER = notices.told(monitored_events)
