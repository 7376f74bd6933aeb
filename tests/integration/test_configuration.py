"""Settings wished for on real sockets: read, compared, written, read again; portal and API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from supervision.clock import FixedClock
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.configuration import ConfigurationService
from supervision.csms.desired import Wish
from supervision.csms.directory import DirectoryService
from supervision.csms.holding import BootPolicy, Registration
from supervision.csms.standard_settings import STANDARD
from supervision.kernel.errors import Refused
from supervision.store.db import Database
from supervision.store.outbox import Outbox
from supervision.store.schema import organisations, station_configurations
from tests.factories import TESTS
from tests.integration.ocpp_client import (
    V16,
    V201,
    Responder,
    Server,
    central_system,
    until,
    write_stations,
)
from tests.serving import World

Json = dict[str, Any]
MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Voltage"


class SettingStation:
    """A station's side: keeps values, refuses or ignores what the test names, and takes few items at once."""

    def __init__(self, values: Mapping[str, str], *, items: int = 2, **answers: str) -> None:
        self.values = dict(values)
        self.writes: list[tuple[str, str]] = []
        self.reads: list[int] = []
        self._items = items
        self._answers = answers  # last word of the name -> status; "Ignored": Accepted and not kept

    @property
    def respond(self) -> Responder:
        """What the charge point of the tests answers with."""
        return lambda action, payload: getattr(self, f"_{action}", self._other)(payload)

    def _other(self, _payload: Json) -> Json:
        return {"status": "Accepted"}

    def _GetConfiguration(self, payload: Json) -> Json:
        self.reads.append(len(payload["key"]))
        limits = {"GetConfigurationMaxKeys": str(self._items)}
        known = {**limits, **self.values}
        found = [
            {"key": key, "value": known[key], "readonly": self._answers.get(key) == "ReadOnly"}
            for key in payload["key"]
            if key in known
        ]
        return {"configurationKey": found, "unknownKey": [key for key in payload["key"] if key not in known]}

    def _ChangeConfiguration(self, payload: Json) -> Json:
        return {"status": self._write(payload["key"], payload["value"])}

    def _GetVariables(self, payload: Json) -> Json:
        self.reads.append(len(payload["getVariableData"]))
        return {"getVariableResult": [self._read(item) for item in payload["getVariableData"]]}

    def _read(self, item: Json) -> Json:
        name = self._named(item)
        if item["variable"]["name"] == "ItemsPerMessage":
            return {**item, "attributeStatus": "Accepted", "attributeValue": str(self._items)}
        if name not in self.values:
            return {**item, "attributeStatus": "UnknownVariable"}
        return {**item, "attributeStatus": "Accepted", "attributeValue": self.values[name]}

    def _SetVariables(self, payload: Json) -> Json:
        assert len(payload["setVariableData"]) <= self._items
        results = [
            {
                "component": item["component"],
                "variable": item["variable"],
                "attributeStatus": self._write(self._named(item), item["attributeValue"]),
            }
            for item in payload["setVariableData"]
        ]
        return {"setVariableResult": results}

    @staticmethod
    def _named(item: Json) -> str:
        return f"{item['component']['name']}.{item['variable']['name']}"

    def _write(self, name: str, value: str) -> str:
        self.writes.append((name, value))
        word = self._answers.get(name.rpartition(".")[2], "Accepted")
        if word.startswith("AtMost"):
            word = "Accepted" if len(value.split(",")) <= int(word[6:]) else "Rejected"
        if word.startswith("Without"):
            word = "Rejected" if word[7:] in value.split(",") else "Accepted"
        if word == "Accepted":
            self.values[name] = value
        return "Accepted" if word == "Ignored" else word


def service_of(server: Server, db: Database, clock: FixedClock) -> ConfigurationService:
    return ConfigurationService(
        db=db, clock=clock, commands=server.commands, registry=server.central.registry
    )


async def wish_for(service: ConfigurationService, ocpp: str, **values: str) -> None:
    for name, value in values.items():
        full = name.replace("__", ".")
        made = await service.wish("org", Wish(ocpp=ocpp, name=full, value=value))
        assert not isinstance(made, Refused)


async def found(
    service: ConfigurationService, identity: str = "CP16"
) -> tuple[str, dict[str, tuple[Any, str]]]:
    report = await service.report("org", identity)
    return report["state"], {item["name"]: (item["found"], item["state"]) for item in report["items"]}


CASES = [
    (
        "CP16",
        V16,
        "1.6",
        {"A": "60", "B": "true", "C": "a,b", "D": "1"},
        {"A": "300", "B": "True", "C": "b,a"},
    ),
    (
        "CS201",
        V201,
        "2.0.1",
        {"X__A": "60", "X__B": "true", "X__C": "a,b", "X__D": "1"},
        {"X.A": "300", "X.B": "TRUE", "X.C": "b, a"},
    ),
]


@pytest.mark.parametrize(("identity", "protocol", "ocpp", "wishes", "values"), CASES)
async def test_15_after_a_boot_only_what_differs_is_written_and_read_again(
    db: Database,
    clock: FixedClock,
    identity: str,
    protocol: str,
    ocpp: str,
    wishes: dict[str, str],
    values: dict[str, str],
) -> None:
    await write_stations(db)
    point = SettingStation(values)
    async with central_system(db, clock) as server:
        service = service_of(server, db, clock)
        await wish_for(service, ocpp, **wishes)
        async with server.station(identity, protocol, respond=point.respond):
            await Outbox(db, clock, [service.consumer()]).drain()
            await service.serve_due()
        a, b, c, d = (name.replace("__", ".") for name in wishes)
        assert point.writes == [(a, "60")]
        assert await found(service, identity) == (
            "in_sync",
            {
                a: ("60", "ok"),
                b: (values[b], "ok"),
                c: (values[c], "ok"),
                d: (None, "unknown"),
            },
        )
    limits = [1] if protocol == V16 else [2]
    assert point.reads == [*limits, 2, 2, 1]


@pytest.mark.parametrize(
    ("word", "state", "overall"),
    [
        ("Rejected", "refused", "drift"),
        ("NotSupported", "unknown", "in_sync"),
        ("Ignored", "ignored", "drift"),
        ("RebootRequired", "reboot_required", "reboot_required"),
        ("ReadOnly", "read_only", "drift"),
    ],
)
async def test_accepted_is_not_believed_and_every_other_word_has_its_state(
    sqlite_db: Database, clock: FixedClock, word: str, state: str, overall: str
) -> None:
    await write_stations(sqlite_db)
    point = SettingStation({"A": "300"}, A=word)
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", A="60")
        async with server.station(respond=point.respond):
            await service.serve_due()
            assert await found(service) == (overall, {"A": ("300", state)})
            tried = len(point.writes)
            clock.advance(seconds=86400)
            await service.serve_due()
    assert len(point.writes) == tried == (0 if word == "ReadOnly" else 1)
    assert await found(service) == (overall, {"A": ("300", state)})
    drifting = [report["charging_station"] for report in await service.drifting("org")]
    assert drifting == ([] if overall == "in_sync" else ["CP16"])


async def test_reboot_makes_a_setting_whole(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    point = SettingStation({"A": "300"}, A="RebootRequired")
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", A="60")
        outbox = Outbox(sqlite_db, clock, [service.consumer()])
        async with server.station(respond=point.respond) as station:
            await outbox.drain()
            await service.serve_due()
            assert (await found(service))[0] == "reboot_required"
            point.values["A"] = "60"
            await station.answer("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
            await outbox.drain()
            await service.serve_due()
    assert await found(service) == ("in_sync", {"A": ("60", "ok")})
    assert len(point.writes) == 1


@pytest.mark.parametrize(
    ("identity", "protocol", "ocpp", "name"),
    [("CP16", V16, "1.6", "List"), ("CS201", V201, "2.0.1", "X__List")],
)
async def test_36_list_refused_as_a_whole_is_taken_in_part_and_then_left_alone(
    sqlite_db: Database, clock: FixedClock, identity: str, protocol: str, ocpp: str, name: str
) -> None:
    await write_stations(sqlite_db)
    full = name.replace("__", ".")
    point = SettingStation({full: "Voltage"}, List="AtMost2")
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, ocpp, **{name: MEASURANDS})
        async with server.station(identity, protocol, respond=point.respond):
            await service.serve_due()
            part = "Energy.Active.Import.Register,Power.Active.Import"
            tried = [MEASURANDS, "Energy.Active.Import.Register", part, MEASURANDS]
            assert point.writes == [(full, value) for value in tried]
            assert await found(service, identity) == ("in_sync", {full: (part, "partly")})
            await service.request("org", identity)
            await service.serve_due()
    assert len(point.writes) == 4


async def test_36_one_measurand_nobody_knows_costs_no_other(sqlite_db: Database, clock: FixedClock) -> None:
    """The longest list that is accepted, not the one up to the first that is refused."""
    await write_stations(sqlite_db)
    point = SettingStation({"List": "Voltage"}, List="WithoutPower.Active.Import")
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", List=MEASURANDS)
        async with server.station(respond=point.respond):
            await service.serve_due()
    part = "Energy.Active.Import.Register,Voltage"
    assert await found(service) == ("in_sync", {"List": (part, "partly")})


async def test_36_list_of_which_nothing_is_taken_is_refused(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    point = SettingStation({"List": "SoC"}, List="Rejected")
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", List="a,b")
        async with server.station(respond=point.respond):
            await service.serve_due()
    assert [value for _, value in point.writes] == ["a,b", "a", "b"]
    assert await found(service) == ("drift", {"List": ("SoC", "refused")})


async def test_drift_is_seen_the_next_day_and_written_when_asked(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    point = SettingStation({"A": "60"})
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", A="60")
        async with server.station(respond=point.respond):
            await service.serve_due()
            point.values["A"] = "5"
            await service.serve_due()
            assert (await found(service))[0] == "in_sync"  # not due
            clock.advance(seconds=86400)
            await service.serve_due()
            assert await found(service) == ("drift", {"A": ("5", "differs")})
            assert point.writes == []
            await service.request("org", "CP16")
            await service.serve_due()
    assert point.writes == [("A", "60")]
    assert await found(service) == ("in_sync", {"A": ("60", "ok")})


async def test_silent_station_is_tried_again_later(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    point = SettingStation({"A": "5"})
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", A="60")
        await service.serve_due()  # it is not here
        async with server.station(respond=lambda _action, _payload: None) as station:
            serving = service.serve("org", "CP16")
            await station.socket.close()
            await serving
        async with sqlite_db.read(TESTS) as reader:
            rows = await reader.all(select(station_configurations).order_by("charging_station"))
        assert [(row["failures"], row["state"]) for row in rows] == [(1, "waiting"), (0, "waiting")]
        async with server.station(respond=point.respond):
            await service.serve_due()
            assert point.writes == []
            clock.advance(seconds=300)
            await service.serve_due()
    assert point.values == {"A": "60"}


async def test_request_that_comes_while_a_station_is_silent_stays_due(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", A="60")
        async with (
            server.station(respond=lambda _action, _payload: None) as station,
            asyncio.TaskGroup() as tasks,
        ):
            serving = tasks.create_task(service.serve("org", "CP16"))
            await until(lambda: bool(station.commands))
            clock.advance(seconds=1)
            await service.request("org", "CP16")
            await station.socket.close()
            await serving
    async with sqlite_db.read(TESTS) as reader:
        row = await reader.first(
            select(station_configurations).where(station_configurations.c.charging_station == "CP16")
        )
    assert row is not None
    assert (row["failures"], row["due_at"]) == (0, clock.now())


async def test_wish_for_one_station_replaces_that_for_all(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    point = SettingStation({"A": "60"})
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await wish_for(service, "1.6", A="60")
        async with server.station(respond=point.respond):
            await service.serve_due()
            own = await service.wish("org", Wish(ocpp="1.6", name="A", value="90", charging_station="CP16"))
            assert not isinstance(own, Refused)
            await service.serve_due()
            assert point.values == {"A": "90"}
            again = await service.wish("org", Wish(ocpp="1.6", name="A", value="91", charging_station="CP16"))
            assert not isinstance(again, Refused)
            assert [item["value"] for item in await service.wishes("org")] == ["60", "91"]
            assert await service.forget("org", again["id"]) is None
            await service.serve_due()
    assert point.values == {"A": "60"}


async def test_C16_stations_of_2_0_1_learn_the_master_pass_group_unless_a_wish_says_otherwise(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    chosen = update(organisations).where(organisations.c.id == "org").values(master_pass_group="FIRE")
    await sqlite_db.write(TESTS, lambda tx: tx.execute(chosen))
    point = SettingStation({"AuthCtrlr.MasterPassGroupId": ""})
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        outbox = Outbox(sqlite_db, clock, [service.consumer()])
        async with server.station("CS201", V201, respond=point.respond):
            await outbox.drain()
            await service.serve_due()
            assert point.values == {"AuthCtrlr.MasterPassGroupId": "FIRE"}
            await wish_for(service, "2.0.1", AuthCtrlr__MasterPassGroupId="POLICE")
            await service.serve_due()
            assert point.values == {"AuthCtrlr.MasterPassGroupId": "POLICE"}


@pytest.mark.parametrize(
    ("ocpp", "name", "code"),
    [
        ("1.6", "AuthorizationKey", "secret_setting"),
        ("2.0.1", "SecurityCtrlr.BasicAuthPassword", "secret_setting"),
        ("1.6", "two words", "bad_setting_name"),
        ("2.0.1", "NoVariable", "bad_setting_name"),
        ("2.1", "A.B", "bad_setting_name"),
    ],
)
async def test_impossible_wish_is_refused(
    sqlite_db: Database, clock: FixedClock, ocpp: str, name: str, code: str
) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        made = await service.wish("org", Wish(ocpp=ocpp, name=name, value="x"))
        long = await service.wish("org", Wish(ocpp="1.6", name="A", value="x" * 501))
    assert isinstance(made, Refused)
    assert made.code == code
    assert long == Refused("setting_too_long", {"name": "A", "max": 500})


async def test_standard_set_is_taken_over_once_and_can_be_edited(world: World) -> None:
    api = world.api("manager")
    status, answer = await api.post("/desired-settings/standard")
    assert (status, answer) == (200, {"taken": len(STANDARD) - 1})  # one was wished for before
    assert await api.post("/desired-settings/standard") == (200, {"taken": 0})
    body = {"ocpp": "1.6", "name": "ConnectionTimeOut", "value": "90", "vendor": "Maker", "reason": "slow"}
    status, made = await api.post("/desired-settings", body)
    assert (status, made["value"], made["vendor"], made["organisation"]) == (201, "90", "Maker", "org")
    _, listed = await api.get("/desired-settings")
    assert len(listed["items"]) == len(STANDARD) + 1
    assert (await api.post(f"/desired-settings/{made['id']}/forget"))[0] == 200
    assert (await api.post(f"/desired-settings/{made['id']}/forget"))[0] == 404
    secret = {"ocpp": "1.6", "name": "AuthorizationKey", "value": "00"}
    status, refused = await api.post("/desired-settings", secret)
    assert (status, refused["code"]) == (422, "secret_setting")
    foreign = {**body, "charging_station": "R-CP16"}
    assert (await api.post("/desired-settings", foreign))[0] == 404


async def test_pages_show_and_edit_what_is_wished_for(world: World) -> None:
    form = {"ocpp": "1.6", "name": "ConnectionTimeOut", "value": "90", "charging_station": "CP16"}
    page = await world.submit("manager", "/desired-settings", form)
    assert (page.status, page.headers["location"]) == (303, "/desired-settings?done=setting_kept")
    shown = await world.visit("manager", "/desired-settings")
    assert all(word in shown.text for word in ("ConnectionTimeOut", "90", "CP16"))
    assert (await world.submit("technician", "/desired-settings", form)).status == 403
    assert (
        await world.submit("manager", "/desired-settings", {**form, "name": "AuthorizationKey"})
    ).status == 422
    assert (
        await world.submit("manager", "/desired-settings", {**form, "charging_station": "R-CP16"})
    ).status == 404
    both = {"ocpp": "1.6", "name": "HeartbeatInterval", "value": "300"}
    for organisation, status in (("r-org", 303), ("zz", 422)):
        page = await world.submit("operator", "/desired-settings", {**both, "organisation": organisation})
        assert page.status == status
    _, foreign = await world.api("rival").get("/desired-settings")
    assert [item["name"] for item in foreign["items"]] == ["HeartbeatInterval"]
    leave = {"ocpp": "1.6", "name": "HeartbeatInterval", "leave": "yes", "value": "1"}
    assert (await world.submit("manager", "/desired-settings", leave)).status == 303
    _, listed = await world.api("manager").get("/desired-settings")
    values = {item["name"]: (item["id"], item["value"]) for item in listed["items"]}
    assert values["HeartbeatInterval"][1] is None
    gone = await world.submit("manager", f"/desired-settings/{values['HeartbeatInterval'][0]}/forget", {})
    assert gone.status == 303
    asked = await world.submit("technician", "/charging-stations/CP16/configuration", {})
    assert asked.headers["location"] == "/charging-stations/CP16/configuration?done=configuration_asked"
    assert (await world.visit("technician", "/charging-stations/CP16/configuration")).status == 200
    assert (await world.submit("manager", "/desired-settings/standard", {})).status == 303


async def test_held_1_6_station_may_speak_and_is_not_asked_to_charge(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    async with central_system(sqlite_db, clock) as server:
        directory = DirectoryService(db=sqlite_db, registry=server.central.registry)
        await directory.set_boot_policy("org", "CP16", BootPolicy.REJECT)
        held = {"currentTime": "2026-11-21T08:00:00Z", "interval": 60}
        async with server.station(boot=False) as point:
            assert await point.answer("BootNotification", boot) == {**held, "status": "Rejected"}
            assert await point.answer("Heartbeat", {}) == {"currentTime": "2026-11-21T08:00:00Z"}
            result = await server.commands.send("org", "CP16", "ClearCache", {})
            assert isinstance(result, CommandResult)
            assert (result.state, (result.error or {})["code"]) == (CommandState.REFUSED, "boot_not_accepted")
            await directory.set_boot_policy("org", "CP16", BootPolicy.PENDING)
            assert await point.answer("BootNotification", boot) == {**held, "status": "Pending"}
            start = {"idTag": "04A1B2C3"}
            for action, state in (("RemoteStartTransaction", "refused"), ("ClearCache", "answered")):
                payload = start if state == "refused" else {}
                result = await server.commands.send("org", "CP16", action, payload)
                assert isinstance(result, CommandResult)
                assert result.state.value == state


async def test_14_held_station_that_goes_on_booting_is_not_asked_to_boot_each_time(
    sqlite_db: Database, clock: FixedClock
) -> None:
    """It boots because it is asked, is looked at, and would be asked again, for ever."""
    await write_stations(sqlite_db)
    point = SettingStation({"A": "60"})
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        await DirectoryService(db=sqlite_db, registry=server.central.registry).set_boot_policy(
            "org", "CP16", BootPolicy.PENDING
        )
        await wish_for(service, "1.6", A="60")
        async with server.station(respond=point.respond) as station:
            connection = server.central.registry.get("CP16")
            assert connection is not None
            for minutes in (0, 5, 4, 1):
                clock.advance(seconds=60 * minutes)
                connection.held = Registration.PENDING
                await service.request("org", "CP16")
                await service.serve_due()
            await until(lambda: len(triggers(station.commands)) == 2)
    assert triggers(station.commands) == [{"requestedMessage": "BootNotification"}] * 2


def triggers(commands: list[list[Any]]) -> list[Any]:
    return [payload for _, _, action, payload in commands if action == "TriggerMessage"]


async def test_boot_policy_is_chosen_on_the_page_and_through_the_api(world: World) -> None:
    status, made = await world.api("manager").post(
        "/charging-stations/CP16/boot-policy", {"policy": "reject"}
    )
    assert (status, made["boot_policy"]) == (200, "reject")
    page = await world.submit("manager", "/charging-stations/CP16/boot-policy", {"policy": "pending"})
    assert page.headers["location"] == "/charging-stations/CP16/configuration?done=boot_policy_kept"
    assert (await world.api("manager").get("/charging-stations/CP16"))[1]["boot_policy"] == "pending"
    for role, form, answer in (
        ("technician", {"policy": "accept"}, 403),
        ("manager", {"policy": "maybe"}, 422),
        ("manager", {}, 422),
    ):
        page = await world.submit(role, "/charging-stations/CP16/boot-policy", form)
        assert page.status == answer
