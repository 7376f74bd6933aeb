"""DataTransfer of OCPP 1.6: kept in the journal; we know no vendor's extension."""

from __future__ import annotations

from supervision.csms.handlers.incoming import answer_with

HANDLER = answer_with({"status": "UnknownVendorId"})
