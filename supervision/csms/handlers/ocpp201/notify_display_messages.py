"""NotifyDisplayMessages of OCPP 2.0.1: the texts a station shows, message by message (O03)."""

from __future__ import annotations

from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices

HANDLER = notices.unnumbered_page(ErrandKind.DISPLAY_MESSAGES)
