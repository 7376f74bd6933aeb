"""The pages of commands: answers in plain words, calling off, one command to many stations."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from sqlalchemy import update

from supervision.clock import FixedClock
from supervision.store.db import Tx
from supervision.store.schema import charging_stations, charging_transactions
from tests.factories import TESTS
from tests.integration.ocpp_client import V201, Server, central_system, until
from tests.serving import Page, World

DEVICE = "/charging-stations/CP16"
BATCHES = "/command-batches"
ENGLISH = {"accept-language": "en", "cookie": "session=session of manager; language=en"}


@pytest.fixture
async def server(world: World, clock: FixedClock) -> AsyncIterator[Server]:
    services = world.services
    async with central_system(
        services.db, clock, registry=services.registry, commands=services.commands
    ) as running:
        yield running


def text_of(page: Page) -> str:
    """The words of a page, without markup and with single blanks."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


async def batch_of(world: World, page: Page) -> Mapping[str, Any]:
    """Return the batch a form has led to."""
    _, batch = await world.api("manager").get(page.headers["location"])
    found: Mapping[str, Any] = batch
    return found


async def test_an_accepted_restart_is_shown_as_not_done_yet(world: World, server: Server) -> None:
    async with server.station("CP16"):
        page = await world.submit("manager", f"{DEVICE}/commands", {"command": "reset", "reset_kind": "soft"})
    assert "Reset : répondu, accepté, en attente du redémarrage" in text_of(page)
    english = await world.visit("manager", DEVICE, headers=ENGLISH)
    assert "accepted, waiting for the restart" in text_of(english)


async def test_59_steps_for_a_point_that_hangs_are_proposed_one_after_another_and_never_taken_by_themselves(
    world: World, server: Server, clock: FixedClock
) -> None:
    async def unit(tx: Tx) -> None:
        await tx.execute(
            update(charging_transactions)
            .where(charging_transactions.c.organisation_id == "org")
            .values(state="ended")
        )

    await world.services.db.write(TESTS, unit)
    async with server.station("CP16") as point:
        told = {"connectorId": 1, "errorCode": "NoError", "status": "Finishing"}
        await point.answer("StatusNotification", {**told, "timestamp": "2026-11-21T08:00:00Z"})
        assert "est peut-être bloqué" not in text_of(await world.visit("manager", DEVICE))
        clock.advance(minutes=3)
        proposed = []
        for form in (
            {"command": "trigger", "message": "StatusNotification"},
            {"command": "availability", "availability": "off"},
            {"command": "availability", "availability": "on"},
            {"command": "unlock"},
        ):
            page = await world.visit("manager", DEVICE)
            proposed += [word for word in LADDER if f">{word}</button>" in page.text]
            await world.submit("manager", f"{DEVICE}/commands", {**form, "evse_id": "1"})
        assert proposed == LADDER
        page = await world.visit("manager", DEVICE)
        assert "Tout a été essayé d’ici : quelqu’un doit aller voir." in text_of(page)
        assert [(action, payload.get("type")) for _, _, action, payload in point.commands] == [
            ("TriggerMessage", None),
            ("ChangeAvailability", "Inoperative"),
            ("ChangeAvailability", "Operative"),
            ("UnlockConnector", None),
        ]


LADDER = [
    "Demander son état",
    "Le mettre hors service",
    "Le remettre en service",
    "Déverrouiller le câble",
]


async def test_a_setting_that_is_unknown_is_named(world: World, server: Server) -> None:
    unknown = {"unknownKey": ["Nothing"]}
    async with server.station("CP16", respond=lambda *_: unknown):
        page = await world.submit(
            "manager", f"{DEVICE}/commands", {"command": "configuration", "key": "Nothing"}
        )
    assert "non exécuté Nothing : non pris en charge" in text_of(page)
    assert 'class="flash error"' in page.text


async def test_a_waiting_command_is_called_off_from_its_page(world: World) -> None:
    body = {"action": "ClearCache", "wait": False}
    _, waiting = await world.api("manager").post(f"{DEVICE}/commands", body)
    path = f"{DEVICE}/commands/{waiting['id']}/cancel"
    assert f'action="{path}"' in (await world.visit("manager", DEVICE)).text
    gone = await world.submit("manager", path, {})
    assert (gone.status, gone.headers["location"]) == (303, f"{DEVICE}?done=called_off")
    _, found = await world.api("manager").get(f"{DEVICE}/commands/{waiting['id']}")
    assert found["state"] == "cancelled"
    assert f'action="{path}"' not in (await world.visit("manager", DEVICE)).text


async def test_a_command_that_has_ended_is_not_called_off(world: World) -> None:
    page = await world.submit("manager", f"{DEVICE}/commands/command2/cancel", {})
    assert (page.status, "Cette commande est déjà terminée." in text_of(page)) == (200, True)
    assert (await world.submit("manager", f"{DEVICE}/commands/nothing/cancel", {})).status == 404


@pytest.mark.parametrize("role", ["driver", "accountant"])
async def test_who_does_not_supervise_sends_nothing(world: World, role: str) -> None:
    form = {"where": "station:st", "command": "reset", "reset_kind": "soft"}
    for path in (f"{DEVICE}/commands/command1/cancel", BATCHES, f"{BATCHES}/batch1/cancel"):
        assert (path, (await world.submit(role, path, form)).status) == (path, 403)


async def test_a_form_sends_to_each_station_in_its_version(world: World, server: Server) -> None:
    async with server.station("CP16") as first, server.station("CP17", V201) as second:
        form = {"where": "station:st", "command": "reset", "reset_kind": "soft"}
        page = await world.submit("manager", BATCHES, form)
        assert page.status == 303
        await until(lambda: bool(first.commands and second.commands))
        assert (first.commands[0][3], second.commands[0][3]) == ({"type": "Soft"}, {"type": "OnIdle"})

        async def answered() -> bool:
            return dict((await batch_of(world, page))["states"]) == {"answered": 2, "queued": 1}

        await until(answered)
        shown = text_of(await world.visit("manager", page.headers["location"]))
    assert "répondu (2) , en attente (1)" in shown
    assert shown.count("accepté, en attente du redémarrage") == 2
    gone = await world.submit("manager", f"{page.headers['location']}/cancel", {})
    assert gone.status == 303
    assert (await batch_of(world, page))["states"] == {"answered": 2, "cancelled": 1}


async def test_a_form_goes_to_one_model(world: World) -> None:
    async def unit(tx: Tx) -> None:
        boot = {"vendor": "V", "model": "M", "firmware": "1"}
        table = charging_stations
        await tx.execute(update(table).where(table.c.identity == "CP17").values(boot=boot))

    await world.services.db.write(TESTS, unit)
    assert "V M 1" in text_of(await world.visit("manager", BATCHES))
    form = {"where": "organisation:org", "model": "V\tM\t1", "command": "configuration"}
    page = await world.submit("manager", BATCHES, form)
    assert [one["charging_station"] for one in (await batch_of(world, page))["commands"]] == ["CP17"]


@pytest.mark.parametrize(
    "form",
    [
        {"where": "organisation:r-org", "command": "reset", "reset_kind": "soft"},
        {"where": "station:r-st", "command": "reset", "reset_kind": "soft"},
        {"where": "station:st", "model": "x", "command": "reset", "reset_kind": "soft"},
        {"where": "station:st", "command": "start"},
        {"where": "station:st", "command": "limit", "limit_a": "-1"},
        {"where": "station:st", "command": "reset", "reset_kind": "boom"},
        {},
    ],
)
async def test_a_form_that_cannot_be_used_sends_nothing(world: World, form: dict[str, str]) -> None:
    page = await world.submit("manager", BATCHES, form)
    assert (page.status, "Ce champ ne peut pas être utilisé" in text_of(page)) == (422, True)
    _, before = await world.api("manager").get(BATCHES)
    assert [one["id"] for one in before["items"]] == ["batch1", "batch3", "batch2"]
