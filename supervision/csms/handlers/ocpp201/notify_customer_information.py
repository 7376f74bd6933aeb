"""NotifyCustomerInformation of OCPP 2.0.1: what a station knows of a person, page by page."""

from __future__ import annotations

from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices

HANDLER = notices.page(ErrandKind.CUSTOMER_INFORMATION)
