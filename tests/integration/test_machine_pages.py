"""Pages about charging stations as machines: what they show, and what their forms set in motion."""

from __future__ import annotations

import json
import re

from sqlalchemy import select

from supervision.store.schema import commands
from tests.factories import TESTS
from tests.serving import CSRF, Page, World


async def sent(world: World) -> list[tuple[str, str]]:
    """Station and action of every command sent from the portal."""
    async with world.services.db.read(TESTS) as reader:
        rows = await reader.all(
            select(commands)
            .where(commands.c.origin == "portal")
            .order_by(commands.c.created_at, commands.c.id)
        )
    return [(row["charging_station"], row["action"]) for row in rows]


async def bring(world: World, role: str, content: bytes, **fields: str) -> Page:
    """Send the form that adds a firmware."""
    parts = [f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}' for k, v in fields.items()]
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="../fw-9.bin"\r\n\r\n'
    body = "\r\n".join([*parts, head]).encode() + content + b"\r\n--x--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=x"}
    return await world._browse("POST", role, "/firmware", body, kind)


async def test_machine_page_shows_what_the_station_told(world: World) -> None:
    page = await world.visit("manager", "/charging-stations/CP17/machine")
    assert page.status == 200
    for word in ("Event1", "Reported", "…B2C3", "EMS"):
        assert word in page.text


async def test_report_page_shows_its_errand(world: World) -> None:
    page = await world.visit("manager", "/charging-stations/CP17/reports/1")
    assert (page.status, "0 lignes" in page.text) == (200, True)
    for number in ("11", "zz", "9" * 30):
        assert (await world.visit("manager", f"/charging-stations/CP17/reports/{number}")).status == 404


async def test_log_is_asked_for_by_whoever_may_command(world: World) -> None:
    path = "/charging-stations/CP17/logs"
    asked = await world.submit("technician", path, {"kind": "diagnostics"})
    assert (asked.status, asked.headers["location"]) == (
        303,
        "/charging-stations/CP17/machine?done=log_asked",
    )
    assert await sent(world) == [("CP17", "GetDiagnostics")]
    assert (await world.submit("manager", path, {"kind": "secrets"})).status == 400
    never = await world.submit("manager", "/charging-stations/CP16/logs", {"kind": "diagnostics"})
    assert (never.status, "jamais connectée" in never.text) == (422, True)


async def test_journal_is_taken_away_as_lines(world: World) -> None:
    page = await world.visit("manager", "/charging-stations/CP16/journal")
    assert page.headers["content-disposition"] == 'attachment; filename="CP16.jsonl"'
    frames = [json.loads(line)["frame"] for line in page.text.splitlines()]
    assert frames == [f'[2,"CP16-m{n}","Heartbeat",{{}}]' for n in (1, 2, 3)]


async def test_firmware_is_added_and_sent_to_the_chosen_stations(world: World) -> None:
    added = await bring(world, "manager", b"binary", csrf=CSRF, organisation="org", version="9")
    assert (added.status, added.headers["location"]) == (303, "/firmware?done=firmware_added")
    page = await world.visit("manager", "/firmware")
    found = re.search(r'<option value="(\w+)">fw-9\.bin – 9', page.text)
    assert found is not None
    told = await world.submit("manager", "/firmware/campaigns", {"file": found[1], "station": "CP17"})
    assert told.status == 200
    assert await sent(world) == [("CP17", "UpdateFirmware")]
    taken = await world.visit("manager", f"/files/{found[1]}")
    assert (taken.text, taken.headers["content-disposition"]) == (
        "binary",
        'attachment; filename="fw-9.bin"',
    )


async def test_firmware_form_without_a_file_or_for_others_is_refused(world: World) -> None:
    empty = await world.submit("manager", "/firmware", {"organisation": "org"})
    assert (empty.status, "Choisissez d’abord un fichier." in empty.text) == (422, True)
    assert (await bring(world, "manager", b"x", csrf=CSRF, organisation="r-org")).status == 404
    assert (await bring(world, "manager", b"x", csrf="forged", organisation="org")).status == 403
    assert (await bring(world, "driver", b"x", csrf=CSRF, organisation="org")).status == 403


async def test_station_of_another_organisation_is_never_sent_for_firmware(world: World) -> None:
    form = {"file": "fw1", "station": "R-CP17"}
    assert (await world.submit("manager", "/firmware/campaigns", form)).status == 200
    foreign = await world.submit("manager", "/firmware/campaigns", {"file": "r-fw1", "station": "CP17"})
    assert foreign.status == 422
    assert await sent(world) == []
