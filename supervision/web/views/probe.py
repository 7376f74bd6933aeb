"""What a probe found, as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.devices import Device
from supervision.web.views.station_model import ProbeView

SHOWN = (
    "features",
    "measurands",
    "triggers",
    "clock",
    "meter",
    "car",
    "obeys_low",
    "obeys_high",
    "pauses",
    "wakes",
)


async def probe_view(services: Services, device: Device, now: datetime) -> ProbeView:
    """Compose the page of one station's probe."""
    identity = device.document["identity"]
    report = await services.probes.report(device.organisation_id, identity)
    learnt_at = report["learnt_at"]
    return ProbeView(
        identity=identity,
        kind=" ".join(filter(None, report["kind"].values())),
        connected=device.document["connected"],
        state=report["state"],
        step=report["step"] or "",
        found=lines(report["findings"]),
        known=lines(report["known"]),
        learnt_at=None if learnt_at is None else parse_instant(learnt_at).astimezone(device.zone),
        learnt_from=report["learnt_from"] or "",
        now=now,
    )


def lines(findings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The findings worth a sentence, in their order; lists that are empty say nothing."""
    told = [(code, findings[code]) for code in SHOWN if code in findings]
    return tuple(
        (code, ", ".join(value) if isinstance(value, list) else str(value)) for code, value in told if value
    )
