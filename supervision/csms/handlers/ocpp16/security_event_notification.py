"""SecurityEventNotification of OCPP 1.6: kept, and an alarm when a person should look."""

from __future__ import annotations

from supervision.csms.devices.reading import security_event
from supervision.csms.handlers import notices

HANDLER = notices.told(lambda payload, now: [security_event(payload, now)])
