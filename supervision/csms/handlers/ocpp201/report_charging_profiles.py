"""ReportChargingProfiles of OCPP 2.0.1: the profiles a station holds, message by message (K09)."""

from __future__ import annotations

from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices

HANDLER = notices.unnumbered_page(ErrandKind.CHARGING_PROFILES)
