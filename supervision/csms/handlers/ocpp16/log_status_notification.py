"""LogStatusNotification of OCPP 1.6: how far the upload of a log is."""

from __future__ import annotations

from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices

HANDLER = notices.progress(ErrandKind.LOG)
