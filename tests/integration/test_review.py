"""What the machine may not bill is settled by a person: on the page, by the API, and told to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from supervision.clock import FixedClock
from supervision.csms.model import SettledHow
from supervision.csms.presuming import PresumingService
from supervision.csms.review import ReviewService, Wish
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant
from supervision.store import schema
from supervision.store.db import Database, Tx
from tests import factories
from tests.factories import NOW, TESTS
from tests.integration.ocpp_client import ChargePoint, Server, central_system, write_stations
from tests.serving import World

HOUR = timedelta(hours=1)


async def rows(db: Database, table: Any) -> list[Mapping[str, Any]]:
    async with db.read(TESTS) as reader:
        return list(await reader.all(select(table).order_by(table.c.id)))


async def waiting(world: World, role: str = "manager") -> list[dict[str, Any]]:
    """What waits, beside the two charges of the world that always do."""
    status, page = await world.api(role).get("/charging-transactions/review")
    assert (status, page["next"]) == (200, None)
    names = [item["charging_transaction"]["ocpp_transaction_id"] for item in page["items"]]
    assert names[:2] == ["1", "2"]
    found: list[dict[str, Any]] = page["items"][2:]
    return found


async def doubtful(db: Database, *registers: tuple[int, int], **values: Any) -> int:
    """A charge of an hour on CP16/1 that waits, with readings (minute, Wh); returns its id."""
    table = schema.charging_transactions
    row = {
        "organisation_id": "org",
        "charging_station": "CP16",
        "evse_id": 1,
        "ocpp": "1.6",
        "ocpp_transaction_id": "77",
        "natural_key": "k77",
        "id_token": "04A1B2C3",
        "state": "ended",
        "started_at": NOW - HOUR,
        "started_received_at": NOW - HOUR,
        "stopped_at": NOW,
        "stopped_received_at": NOW,
        "start_told": True,
        "stop_register_told": True,
        "meter_start_wh": 1000,
        "start_rank": 0,
        "meter_last_wh": 6000,
        "meter_stop_wh": 6000,
        "last_rank": 2**62,
        "measured_wh": 5000,
        "energy_wh": 5000,
        "review": "unknown_token",
        **values,
    }

    async def unit(tx: Tx) -> int:
        row_id = int(await tx.scalar(insert(table).values(**row).returning(table.c.id)))
        for minute, wh in registers:
            at = NOW - HOUR + timedelta(minutes=minute)
            await tx.execute(
                insert(schema.meter_values).values(
                    organisation_id="org",
                    charging_station="CP16",
                    evse_id=1,
                    charging_transaction_id=row_id,
                    at=at,
                    received_at=at,
                    register_wh=wh,
                    readings=[],
                    digest=minute,
                )
            )
        return row_id

    return await db.write(TESTS, unit)


# --- by the API -----------------------------------------------------------------------------------------


async def test_a_charge_waits_with_its_reasons_its_readings_and_a_proposal(world: World) -> None:
    row_id = await doubtful(
        world.services.db,
        (0, 1000),
        (30, 3500),
        presumed="idle",
        stop_register_told=False,
        meter_last_wh=3500,
        last_rank=5,
        meter_stop_wh=3500,
        measured_wh=2500,
        energy_wh=2500,
        review="presumed_end,no_stop_reading",
    )
    (item,) = await waiting(world, "technician")
    assert item["charging_transaction"]["id"] == row_id
    assert item["charging_transaction"]["presumed"] == "idle"
    assert item["reasons"] == ["presumed_end", "no_stop_reading"]
    assert item["proposal"] == {"energy_wh": 2500, "basis": "registers"}
    assert item["readings"] == [
        {"at": "2026-11-21T07:00:00Z", "register_wh": 1000, "power_w": None},
        {"at": "2026-11-21T07:30:00Z", "register_wh": 3500, "power_w": None},
    ]
    assert item["decisions"] == []
    assert await world.api("manager").get(f"/charging-transactions/{row_id}/review") == (200, item)


async def test_the_proposal_is_accepted_and_the_charge_waits_no_more(world: World) -> None:
    row_id = await doubtful(world.services.db)
    manager = world.api("manager")
    status, settled = await manager.post(f"/charging-transactions/{row_id}/settlement", {"how": "accepted"})
    assert (status, settled["reasons"]) == (200, [])
    assert settled["charging_transaction"]["settled"] == "accepted"
    assert settled["charging_transaction"]["energy_wh"] == 5000
    decision = {
        "at": "2026-11-21T08:00:00Z",
        "kind": "settlement",
        "ground": None,
        "how": "accepted",
        "energy_wh": 5000,
        "person": "m1",
        "note": None,
    }
    assert settled["decisions"] == [decision]
    assert await waiting(world) == []
    (entry,) = await rows(world.services.db, schema.audit_entries)
    assert (entry["person_id"], entry["action"], entry["subject"]) == (
        "m1",
        "charging_transaction.settled",
        f"charging_transaction:{row_id}",
    )
    assert entry["details"] == {"how": "accepted", "energy_wh": 5000, "before_wh": 5000, "note": None}
    names = [row["name"] for row in await rows(world.services.db, schema.outbox_events)]
    assert names[-1] == "ChargingTransactionEnded"


async def test_another_energy_needs_its_note_and_no_energy_needs_nothing(world: World) -> None:
    row_id = await doubtful(world.services.db)
    manager, path = world.api("manager"), f"/charging-transactions/{row_id}/settlement"
    refusals = [
        await manager.post(path, body)
        for body in (
            {"how": "entered", "energy_wh": 4200},
            {"how": "entered", "note": "the driver's photograph"},
            {"how": "accepted", "energy_wh": 4999},
        )
    ]
    assert [(status, answer["code"]) for status, answer in refusals] == [
        (422, "note_missing"),
        (422, "energy_missing"),
        (422, "proposal_changed"),
    ]
    entered = {"how": "entered", "energy_wh": 4200, "note": "the driver's photograph"}
    status, settled = await manager.post(path, entered)
    charge = settled["charging_transaction"]
    assert (status, charge["energy_wh"], charge["measured_wh"]) == (200, 4200, 5000)
    assert settled["decisions"][0]["note"] == "the driver's photograph"
    status, answer = await manager.post(path, {"how": "none"})
    assert (status, answer["code"]) == (422, "nothing_to_review")


async def test_without_two_readings_there_is_nothing_to_accept(world: World) -> None:
    row_id = await doubtful(
        world.services.db,
        meter_start_wh=None,
        start_rank=None,
        measured_wh=None,
        energy_wh=None,
        review="no_start_reading,no_readings",
    )
    path = f"/charging-transactions/{row_id}/settlement"
    status, answer = await world.api("manager").post(path, {"how": "accepted"})
    assert (status, answer["code"]) == (422, "no_proposal")
    status, settled = await world.api("manager").post(path, {"how": "none"})
    assert (status, settled["charging_transaction"]["energy_wh"]) == (200, None)
    assert settled["charging_transaction"]["settled"] == "none"


@pytest.mark.parametrize(
    ("registers", "values", "proposal"),
    [
        (
            ((10, 2000), (20, 3000), (30, 100), (40, 900)),
            {"meter_stop_wh": 1500, "meter_last_wh": 1500, "measured_wh": 500},
            {"energy_wh": 3400, "basis": "pieces"},
        ),
        (
            ((10, 2000), (50, 5500)),
            {"meter_start_wh": None, "start_rank": None, "measured_wh": None},
            {"energy_wh": 4000, "basis": "readings"},
        ),
        ((), {"meter_last_wh": 7_783_000, "meter_stop_wh": 7_783_000, "measured_wh": 7_782_000}, None),
    ],
    ids=["counter began anew", "start missing", "lifetime counter"],
)
async def test_the_proposal_rests_on_what_can_be_trusted(
    world: World,
    registers: tuple[tuple[int, int], ...],
    values: dict[str, Any],
    proposal: dict[str, Any] | None,
) -> None:
    await doubtful(world.services.db, *registers, **values)
    assert [item["proposal"] for item in await waiting(world)] == [proposal]


# --- on the page ----------------------------------------------------------------------------------------


async def test_the_page_shows_the_charge_and_takes_the_decision(world: World) -> None:
    row_id = await doubtful(world.services.db, (30, 3500), review="unknown_token,no_stop_reading")
    page = await world.visit("manager", "/charging/review")
    assert page.status == 200
    assert "badge qui n’a pas été accepté" in page.text
    assert "5\u202f000 Wh" in page.text
    assert "04A1B2C3" not in page.text
    assert f'action="/charging/review/{row_id}"' in page.text
    assert (
        f'action="/charging/review/{row_id}"'
        not in (await world.visit("technician", "/charging/review")).text
    )
    form = {"how": "accepted", "proposal_wh": "5000"}
    assert (await world.submit("technician", f"/charging/review/{row_id}", form)).status == 403
    done = await world.submit("manager", f"/charging/review/{row_id}", form)
    assert (done.status, done.headers["location"]) == (303, "/charging/review?done=settled")
    (row,) = [row for row in await rows(world.services.db, schema.charging_transactions) if row["settled"]]
    assert (row["id"], row["settled_wh"], row["review"]) == (row_id, 5000, None)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"how": "entered", "energy_wh": "4 200"}, "Dites dans une note"),
        ({"how": "entered", "energy_wh": "many", "note": "x"}, "nombre entier"),
        ({}, "Choisissez quoi compter"),
        ({"how": "accepted", "proposal_wh": "1"}, "La proposition a changé"),
    ],
)
async def test_a_form_that_does_not_do_says_why(world: World, form: dict[str, str], sentence: str) -> None:
    row_id = await doubtful(world.services.db)
    page = await world.submit("manager", f"/charging/review/{row_id}", form)
    assert (page.status, sentence in page.text) == (422, True)
    assert await rows(world.services.db, schema.charging_transaction_decisions) == []


async def forget_attempts(tx: Tx) -> None:
    await tx.execute(delete(schema.authorisation_attempts))


async def test_attempts_are_listed_with_filters_and_never_with_the_whole_badge(world: World) -> None:
    async def unit(tx: Tx) -> None:
        for n, (station, status) in enumerate(
            [("CP16", "Accepted"), ("CP17", "Blocked"), ("CP16", "Blocked")]
        ):
            await tx.execute(
                insert(schema.authorisation_attempts).values(
                    organisation_id="org",
                    charging_station=station,
                    at=NOW - timedelta(days=n),
                    purpose="start",
                    token_hint=f"B2C{n}",
                    status=status,
                    person_id="d1",
                )
            )

    await world.services.db.write(TESTS, forget_attempts)
    await world.services.db.write(TESTS, unit)

    async def hints(**query: Any) -> list[str]:
        _, page = await world.api("technician").get("/authorisation-attempts", **query)
        return [item["token_hint"] for item in page["items"]]

    assert await hints() == ["B2C2", "B2C1", "B2C0"]
    assert await hints(limit=2) == ["B2C2", "B2C1"]
    assert await hints(charging_station="CP16") == ["B2C2", "B2C0"]
    assert await hints(status="Blocked", charging_station="CP16") == ["B2C2"]
    day = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}
    assert await hints(**day) == ["B2C1"]
    page = await world.visit("technician", "/charging/attempts?status=Blocked&day=2026-11-20")
    assert page.status == 200
    assert ("…2C1" in page.text, "…2C2" in page.text, "…2C0" in page.text) == (True, False, False)
    assert "d1 secret-name" in page.text
    assert (await world.visit("technician", "/charging/attempts?day=someday")).status == 404


# --- with a station -------------------------------------------------------------------------------------


async def start(point: ChargePoint, clock: FixedClock) -> int:
    told = {
        "connectorId": 1,
        "idTag": "04A1B2C3",
        "meterStart": 1000,
        "timestamp": format_instant(clock.now()),
    }
    number: int = (await point.answer("StartTransaction", told))["transactionId"]
    return number


async def stop(point: ChargePoint, clock: FixedClock, number: int, meter: int) -> None:
    told = {"transactionId": number, "meterStop": meter, "timestamp": format_instant(clock.now())}
    assert await point.answer("StopTransaction", told) == {}


def services(db: Database, clock: FixedClock, server: Server) -> tuple[PresumingService, ReviewService]:
    registry = server.central.service.registry
    return (
        PresumingService(db=db, clock=clock, registry=registry),
        ReviewService(db=db, clock=clock, registry=registry),
    )


async def test_a_late_stop_after_the_settlement_is_shown_and_changes_nothing_by_itself(
    db: Database, clock: FixedClock
) -> None:
    await write_stations(db)
    async with central_system(db, clock) as server, server.station() as point:
        presuming, review = services(db, clock, server)
        number = await start(point, clock)
        clock.advance(minutes=20)
        free = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        await point.answer("StatusNotification", {**free, "timestamp": format_instant(clock.now())})
        clock.advance(minutes=15)
        assert await presuming.end_due() == 1
        settled = await review.settle("org", number, Wish(how=SettledHow.NONE), by_person_id="m1")
        assert not isinstance(settled, Refused)
        await stop(point, clock, number, 4000)
        (waiting,) = (await review.charges("org")).items
        charge = waiting["charging_transaction"]
        assert waiting["reasons"] == ["changed_since_settled"]
        assert (charge["energy_wh"], charge["measured_wh"], charge["settled"]) == (None, 3000, "none")
        assert waiting["proposal"] == {"energy_wh": 3000, "basis": "registers"}
        again = await review.settle("org", number, Wish(how=SettledHow.ACCEPTED), by_person_id="m1")
        assert not isinstance(again, Refused)
        assert again["charging_transaction"]["energy_wh"] == 3000
        kinds = [(line["kind"], line["how"] or line["ground"]) for line in again["decisions"]]
        assert kinds == [
            ("presumed_end", "never_started"),
            ("settlement", "none"),
            ("settlement", "accepted"),
        ]


async def test_a_charge_silent_for_two_days_is_shown_and_closed_by_hand_only(
    db: Database, clock: FixedClock
) -> None:
    await write_stations(db)
    async with central_system(db, clock) as server, server.station() as point:
        presuming, review = services(db, clock, server)
        number = await start(point, clock)
        clock.advance(hours=48)
        refused = await review.settle("org", number, Wish(how=SettledHow.NONE), by_person_id="m1")
        assert refused == Refused("still_charging", {"charging_transaction": number})
        clock.advance(seconds=1)
        assert await presuming.end_due() == 0
        (waiting,) = (await review.charges("org")).items
        assert (waiting["charging_transaction"]["state"], waiting["reasons"]) == ("open", ["over_long"])
        wish = Wish(how=SettledHow.ENTERED, energy_wh=7000, note="read on the dashboard")
        assert not isinstance(await review.settle("org", number, wish, by_person_id="m1"), Refused)
        (row,) = await rows(db, schema.charging_transactions)
        assert (row["state"], row["presumed"], row["energy_wh"]) == ("ended", "by_hand", 7000)
        connection = server.central.service.registry.get("CP16")
        assert connection is not None
        assert connection.open_transactions == {}
        assert (await review.charges("org")).items == []


async def test_a_charge_of_another_organisation_is_unknown(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    row_id = await doubtful(sqlite_db)
    await sqlite_db.write(TESTS, lambda tx: factories.organisation(tx, id="rival"))
    async with central_system(sqlite_db, clock) as server:
        _, review = services(sqlite_db, clock, server)
        refused = await review.settle("rival", row_id, Wish(how=SettledHow.NONE), by_person_id="r1")
    assert refused == Refused("charging_transaction_unknown", {"charging_transaction": row_id})
