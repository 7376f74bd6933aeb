"""Bars of the timeline in words: said once, shown on both axes, as tool tip and in the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from supervision.web.i18n import N_, Translator
from supervision.web.timeline import BookingBar, WindowBar

BOOKING_KINDS = {
    "driver": N_("Booking"),
    "staff": N_("Staff use"),
    "late": N_("Late booking"),
    "block": N_("Blocked"),
}
WINDOW_KINDS = {"planned": N_("Planned charge"), "measured": N_("Measured charge")}


@dataclass(frozen=True)
class BarText:
    """What a bar is, from when until when, and all of it in one sentence."""

    what: str
    start: str
    until: str
    title: str
    energy: str = ""


@lru_cache(4096)
def booking_text(words: Translator, bar: BookingBar, zone: ZoneInfo) -> BarText:
    """Say a booking."""
    start, end = bar.span.start.astimezone(zone), bar.span.end.astimezone(zone)
    what = words.gettext(BOOKING_KINDS[bar.kind])
    named = f"{what} {bar.label}" if bar.label else what
    first, last = words.moment(start), words.moment(end)
    title = f"{named}, {first} → {words.near(end, start)}"
    return BarText(what=what, start=first, until=last, title=title)


@lru_cache(4096)
def window_text(words: Translator, bar: WindowBar, zone: ZoneInfo) -> BarText:
    """Say a stretch of charging."""
    start, end = bar.span.start.astimezone(zone), bar.span.end.astimezone(zone)
    what, energy = words.gettext(WINDOW_KINDS[bar.kind]), words.kwh(bar.energy_wh)
    first, last = words.moment(start), words.moment(end)
    title = f"{what}, {energy}, {words.kw(bar.power_w)}, {first} → {words.near(end, start)}"
    return BarText(what=what, start=first, until=last, title=title, energy=energy)
