"""LogStatusNotification of OCPP 2.0.1."""

from __future__ import annotations

from supervision.csms.handlers.incoming import answer_with

HANDLER = answer_with({})
