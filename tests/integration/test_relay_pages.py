"""The second backend on the station's page and in the API: set up, shown, ended; its password never."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from supervision.store.db import Tx
from supervision.store.schema import audit_entries, relay_answers
from tests.factories import NOW, TESTS
from tests.serving import World

PAGE = "/charging-stations/CP17"
RELAY = f"{PAGE}/relay"
SECRET = "kept-by-nobody-who-reads"
FORM = {
    "url": "wss://CSMS.example.org/ocpp/",
    "identity": "FR*ABC*E1",
    "password": SECRET,
    "owner": "there",
}
FRESH = {
    "url": "wss://csms.example.org:443/ocpp",
    "identity": "FR*ABC*E1",
    "password_set": True,
    "owner": "there",
    "made_at": "2026-11-21T08:00:00Z",
    "changed_at": "2026-11-21T08:00:00Z",
    "connected_at": None,
    "error": None,
    "error_at": None,
    "waiting": 0,
    "delivered": 0,
    "refused": 0,
    "lost": 0,
    "own_answers": 0,
}


async def told(world: World) -> dict[str, Any] | None:
    """The relay as the API tells it."""
    status, document = await world.api("manager").get(RELAY)
    assert (status, document["hosts"]) == (200, ["csms.example.org"])
    relay: dict[str, Any] | None = document["relay"]
    return relay


async def test_form_sets_a_second_backend_up_and_the_page_shows_it_without_its_password(world: World) -> None:
    saved = await world.submit("manager", RELAY, FORM)
    assert (saved.status, saved.headers["location"]) == (303, f"{PAGE}?done=relay_saved")
    page = await world.visit("manager", PAGE)
    for shown in (
        "wss://csms.example.org:443/ocpp",
        "FR*ABC*E1",
        "non connecté",
        "le second système central",
    ):
        assert shown in page.text
    assert SECRET not in page.text
    assert await told(world) == FRESH


async def test_empty_password_field_keeps_the_password_and_the_box_removes_it(world: World) -> None:
    await world.submit("manager", RELAY, FORM)
    await world.submit("manager", RELAY, FORM | {"password": "", "owner": "here", "identity": ""})
    assert await told(world) == FRESH | {"owner": "here", "identity": "CP17"}
    await world.submit("manager", RELAY, FORM | {"password": "", "no_password": "yes"})
    assert await told(world) == FRESH | {"password_set": False}


async def test_relay_is_ended_from_the_page(world: World) -> None:
    await world.submit("manager", RELAY, FORM)
    ended = await world.submit("manager", f"{RELAY}/remove", {})
    assert (ended.status, ended.headers["location"]) == (303, f"{PAGE}?done=relay_removed")
    assert await told(world) is None
    assert (await world.submit("manager", f"{RELAY}/remove", {})).status == 404


@pytest.mark.parametrize("role", ["technician", "rival"])
async def test_only_who_administers_the_station_may_set_one_up(world: World, role: str) -> None:
    refused = await world.submit(role, RELAY, FORM)
    assert refused.status == (403 if role == "technician" else 404)
    assert await told(world) is None
    page = await world.visit("technician", PAGE)
    assert 'name="url"' not in page.text


async def test_host_the_operator_has_not_named_is_refused_with_a_sentence(world: World) -> None:
    page = await world.submit("manager", RELAY, FORM | {"url": "wss://169.254.169.254/latest"})
    assert page.status == 422
    assert "L’exploitant de ce serveur n’autorise pas l’hôte 169.254.169.254." in page.text
    assert await told(world) is None


async def test_form_with_another_owner_is_none_of_ours(world: World) -> None:
    assert (await world.submit("manager", RELAY, FORM | {"owner": "everywhere"})).status == 422


async def test_api_sets_up_changes_and_ends_a_relay(world: World) -> None:
    api = world.api("manager")
    body = {"url": FORM["url"], "identity": "FR*ABC*E1", "owner": "there", "password": SECRET}
    status, made = await api.post(RELAY, body)
    assert (status, made["relay"]) == (200, FRESH)
    assert SECRET not in str(made)
    _, changed = await api.post(RELAY, {"url": "ws://csms.example.org:9000/a"})
    assert changed["relay"] == FRESH | {
        "url": "ws://csms.example.org:9000/a",
        "identity": "CP17",
        "owner": "here",
    }
    status, ended = await api.post(f"{RELAY}/remove", {})
    assert (status, ended["relay"]) == (200, None)
    assert (await api.post(f"{RELAY}/remove", {}))[0] == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "wss://elsewhere.example/ocpp"}, "relay_host"),
        ({"url": "https://csms.example.org/ocpp"}, "relay_url"),
        ({"url": "wss://csms.example.org/ocpp", "identity": "a/b"}, "relay_identity"),
        ({"url": "wss://csms.example.org/ocpp", "password": "a\nb"}, "relay_password"),
        ({"url": "wss://csms.example.org/ocpp", "owner": "me"}, "invalid_field"),
        ({}, "invalid_field"),
    ],
)
async def test_api_refuses_what_cannot_be_dialled(world: World, body: dict[str, str], code: str) -> None:
    status, error = await world.api("manager").post(RELAY, body)
    assert (status, error["code"]) == (422, code)


async def test_api_lists_what_the_backend_answered_newest_first(world: World) -> None:
    async def unit(tx: Tx) -> None:
        for organisation_id, identity, number in (
            ("org", "CP17", 1),
            ("org", "CP17", 2),
            ("r-org", "R-CP16", 3),
        ):
            await tx.execute(
                insert(relay_answers).values(
                    organisation_id=organisation_id,
                    charging_station=identity,
                    frame_id=number,
                    at=NOW,
                    answer=f'[3,"{number}.1",{{"status":"Accepted"}}]',
                )
            )

    await world.services.db.write(TESTS, unit)
    api = world.api("technician")
    _, first = await api.get(f"{RELAY}/answers", limit=1)
    _, second = await api.get(f"{RELAY}/answers", limit=1, after=first["next"])
    assert [item["frame_id"] for item in (*first["items"], *second["items"])] == [2, 1]
    assert second["next"] is None
    await world.services.relays.forget_before(NOW.replace(year=2030))
    assert (await api.get(f"{RELAY}/answers"))[1]["items"] == []


async def test_audit_tells_who_did_it_and_no_password(world: World) -> None:
    await world.submit("manager", RELAY, FORM)
    await world.submit("manager", f"{RELAY}/remove", {})
    async with world.services.db.read(TESTS) as reader:
        rows = await reader.all(select(audit_entries).order_by(audit_entries.c.id))
    found = [(row["action"], row["subject"], row["details"]) for row in rows if "relay" in row["action"]]
    details = {
        "url": "wss://csms.example.org:443/ocpp",
        "identity": "FR*ABC*E1",
        "owner": "there",
        "password": "given",
    }
    assert found == [("relay_saved", "CP17", details), ("relay_removed", "CP17", {})]
