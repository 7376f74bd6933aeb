"""PublishFirmwareStatusNotification of OCPP 2.0.1: how far a publication is."""

from __future__ import annotations

from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices

HANDLER = notices.progress(ErrandKind.FIRMWARE_PUBLICATION)
