"""Get15118EVCertificate of OCPP 2.0.1: we issue no contract certificates."""

from __future__ import annotations

from supervision.csms.handlers.incoming import answer_with

HANDLER = answer_with({"status": "Failed", "exiResponse": ""})
