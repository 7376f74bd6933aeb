"""NotifyEVChargingNeeds of OCPP 2.0.1: kept in the journal.

We plan from bookings, not from what a car says over ISO 15118.
"""

from __future__ import annotations

from supervision.csms.handlers.incoming import answer_with

HANDLER = answer_with({"status": "Rejected"})
