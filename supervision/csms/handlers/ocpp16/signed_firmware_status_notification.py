"""SignedFirmwareStatusNotification of OCPP 1.6: how far a signed update is."""

from __future__ import annotations

from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices

HANDLER = notices.progress(ErrandKind.FIRMWARE)
