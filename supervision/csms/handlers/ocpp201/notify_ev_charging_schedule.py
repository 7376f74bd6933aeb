"""NotifyEVChargingSchedule of OCPP 2.0.1: kept in the journal.

The car may charge as it says, within its profile.
"""

from __future__ import annotations

from supervision.csms.handlers.incoming import answer_with

HANDLER = answer_with({"status": "Accepted"})
