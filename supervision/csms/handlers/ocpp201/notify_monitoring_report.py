"""NotifyMonitoringReport of OCPP 2.0.1: the monitors of a station, page by page."""

from __future__ import annotations

from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices

HANDLER = notices.page(ErrandKind.MONITORING_REPORT)
