"""The supervision page and the page of one station, both alive."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from starlette.responses import Response

from supervision.accounts.rules import may_supervise
from supervision.web import rendering
from supervision.web.live import Part, stream
from supervision.web.views.station import station_view
from supervision.web.views.station_model import StationView
from supervision.web.views.supervision import (
    Overview,
    alerts_in,
    overview,
    revenue_today,
    scenes_of,
    station_card,
    status_strip,
    supervision_view,
    why_in,
)
from supervision.web.views.supervision_model import StationCard
from supervision.web.visit import PageError, Visit

PARTS = "supervision_parts.html"
LONGEST_ID = 16
STALE_AFTER = timedelta(minutes=4)


async def supervision(visit: Visit) -> Response:
    """Show every station; htmx asks for one explanation alone."""
    why = visit.query.get("why", "")
    if visit.is_fragment:
        scenes = await scenes_of(
            visit.services, visit.supervised, now=visit.now, only=frozenset({why.partition("~")[0]})
        )
        here = visit.now.astimezone(scenes[0].zone) if scenes else visit.now
        return visit.fragment(PARTS, "why_panel", why_in(scenes, why), here)
    seen = await overview(visit.services, visit.supervised, now=visit.now)
    return visit.render("supervision.html", supervision_view(seen, why=why))


async def supervision_events(visit: Visit) -> Response:
    """Stream what changes on the supervision page."""
    living = _LivingSupervision(visit, await overview(visit.services, visit.supervised, now=visit.now))
    return stream(visit, wanted=living.shows, refresh=living.refresh)


class _LivingSupervision:
    """The page as its reader sees it now; only touched stations are loaded and drawn again."""

    def __init__(self, visit: Visit, seen: Overview) -> None:
        self._visit = visit
        self._seen = seen

    def shows(self, topic: str) -> bool:
        """Tell whether the page shows anything of this topic."""
        kind, _, name = topic.partition(":")
        if kind == "station":
            return name in self._seen.cards
        return kind in {"alerts", "invoices"} and name in self._visit.supervised

    async def refresh(self, touched: frozenset[str]) -> list[Part]:
        """Draw the touched stations again, and those whose line of now stands still for too long."""
        visit, now = self._visit, self._visit.services.clock.now()
        names = {topic.partition(":")[2] for topic in touched if topic.startswith("station:")}
        stale = {scene.station.id for scene in self._seen.scenes if now - scene.now > STALE_AFTER}
        only = frozenset(names | stale)
        found = await scenes_of(visit.services, visit.supervised, now=now, only=only) if only else []
        fresh = {scene.station.id: scene for scene in found}
        scenes = tuple(fresh.get(scene.station.id, scene) for scene in self._seen.scenes)
        cards = {**self._seen.cards, **{name: station_card(scene) for name, scene in fresh.items()}}
        alerts = await alerts_in(visit.services, visit.supervised, scenes, now=now)
        revenue = self._seen.revenue_today_cents
        if not touched or any(topic.startswith("invoices:") for topic in touched):
            revenue = await revenue_today(visit.services, visit.supervised, scenes, now=now)
        self._seen = replace(
            self._seen, scenes=scenes, cards=cards, alerts=alerts, revenue_today_cents=revenue, now=now
        )
        return self._parts(frozenset(fresh))

    def _parts(self, stations: frozenset[str]) -> list[Part]:
        seen, visit = self._seen, self._visit
        here = supervision_view(seen, why="").now
        draw = _Drawing(visit)
        return [
            draw.part("strip", "strip", status_strip(seen)),
            draw.part("alerts", "alerts", seen.alerts, here, visit.csrf),
            draw.part("updated", "updated", here),
            *(draw.card(seen.cards[name], here) for name in stations),
        ]


class _Drawing:
    """Renders macros in the reader's language."""

    def __init__(self, visit: Visit) -> None:
        self._language = visit.language

    def card(self, card: StationCard, now: datetime) -> Part:
        """Render one station."""
        return self.part(f"station-{card.anchor}", "station_card", card, now)

    def part(self, element: str, macro: str, *args: object, template: str = PARTS) -> Part:
        """Render one element's content."""
        return Part(element, rendering.render_part(template, macro, *args, language=self._language))


async def station(visit: Visit) -> Response:
    """Show one station: its timeline, its charging stations, its plan."""
    return visit.render("station.html", await _station(visit))


async def station_events(visit: Visit) -> Response:
    """Stream what changes at one station."""
    topic = f"station:{(await _station(visit)).card.id}"

    async def refresh(_touched: frozenset[str]) -> list[Part]:
        view = await _station(visit)
        draw = _Drawing(visit)
        template = "station_parts.html"
        return [
            draw.part(f"station-{view.card.anchor}", "grid", view, template=template),
            draw.part("devices", "devices", view, template=template),
            draw.part("plan", "plan", view, template=template),
        ]

    return stream(visit, wanted=lambda touched: touched == topic, refresh=refresh)


async def acknowledge(visit: Visit) -> Response:
    """Note who takes care of an alert."""
    organisation_id, alert_id = await _alert(visit)
    await visit.services.alerts.acknowledge(organisation_id, alert_id, visit.person.id)
    return visit.see("/supervision", done="acknowledged")


async def close(visit: Visit) -> Response:
    """End an alert that no event will end."""
    organisation_id, alert_id = await _alert(visit)
    await visit.services.alerts.close(organisation_id, alert_id)
    return visit.see("/supervision", done="closed")


async def _alert(visit: Visit) -> tuple[str, int]:
    organisation_id = (await visit.form()).get("organisation", "")
    if not may_supervise(visit.signed_in, organisation_id):
        raise PageError(403)
    text = visit.path["id"]
    if not (text.isascii() and text.isdecimal() and len(text) < LONGEST_ID):
        raise PageError(404)
    return organisation_id, int(text)


async def _station(visit: Visit) -> StationView:
    found = await station_view(
        visit.services, visit.supervised, visit.path["id"], now=visit.services.clock.now()
    )
    if found is None:
        raise PageError(404)
    return found


ROUTES = (
    ("GET", "/supervision", supervision),
    ("GET", "/supervision/events", supervision_events),
    ("GET", "/stations/{id}", station),
    ("GET", "/stations/{id}/events", station_events),
    ("POST", "/alerts/{id}/acknowledge", acknowledge),
    ("POST", "/alerts/{id}/close", close),
)
