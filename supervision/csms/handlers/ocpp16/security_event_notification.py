"""SecurityEventNotification of OCPP 1.6."""

from __future__ import annotations

from supervision.csms.handlers.incoming import answer_with

HANDLER = answer_with({})
