"""Every operation of the API, as every kind of caller; a new operation without a case here fails."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
from sqlalchemy import insert, update

from supervision.store.db import Tx
from supervision.store.schema import people, station_certificates
from supervision.web.api.openapi import document
from supervision.web.api.operations import OPERATIONS
from tests.factories import NOW, TESTS
from tests.serving import SECRET, World, at

STAFF = {"admin", "manager", "technician"}
MANAGERS = {"admin", "manager"}
DRIVERS = {"driver", "other driver", "narrowed"}
OWN = [*STAFF, *DRIVERS, "accountant"]
RIVALS = ("rival", "rival driver")
TIMES = {"start_at": at(0), "end_at": at(2)}


@dataclass(frozen=True)
class Case:
    """One request about a thing of organisation org, and who gets what; `foreign` is every rival's answer."""

    path: str
    allowed: set[str]  # answered with the operation's own status
    refused: int = 403  # the others of the organisation
    foreign: int = 404
    unknown: str = ""  # the same request about something that does not exist
    body: dict[str, Any] | None = None
    unknown_body: dict[str, Any] | None = None
    also: dict[str, int] | None = None


def booking(verb: str, body: dict[str, Any] | None = None, **also: int) -> Case:
    path = "/bookings/b1" + (f"/{verb}" if verb else "")
    unknown = path.replace("b1", "zz")
    return Case(path, {"driver", *MANAGERS}, unknown=unknown, body=body, also=also)


def device(what: str, body: dict[str, Any] | None = None) -> Case:
    path = f"/charging-stations/CP17/{what}"
    return Case(path, STAFF, 404, unknown=path.replace("CP17", "ZZ"), body=body)


POINT = {"identity": "NEW-1", "station": "st", "evses": [{"id": 1, "kind": "ac22"}], "security_profile": 0}
ADOPT = {"station": "st", "evses": [{"id": 1, "kind": "ac22"}]}
SETTING = {"ocpp": "1.6", "name": "ConnectionTimeOut", "value": "90"}
BOOK = {"vehicle": "car-2", "driver": "d1", **TIMES}
TIMES_QUERY = "&start_at={start_at}&end_at={end_at}".format(
    **{name: text.replace("+", "%2B") for name, text in TIMES.items()}
)

CASES: dict[tuple[str, str], Case] = {
    ("POST", "/charging-stations"): Case(
        "/charging-stations", MANAGERS, body=POINT, unknown_body=POINT | {"station": "zz"}
    ),
    ("GET", "/charging-stations"): Case("/charging-stations", {*OWN}, foreign=200),
    ("GET", "/charging-stations/{identity}"): Case(
        "/charging-stations/CP16", STAFF, 404, unknown="/charging-stations/ZZ"
    ),
    ("POST", "/charging-stations/{identity}/commands"): Case(
        "/charging-stations/CP16/commands",
        STAFF,
        404,
        unknown="/charging-stations/ZZ/commands",
        body={"action": "Reset", "payload": {"type": "Soft"}},
    ),
    ("GET", "/charging-stations/{identity}/commands"): Case(
        "/charging-stations/CP16/commands", STAFF, 404, unknown="/charging-stations/ZZ/commands"
    ),
    ("GET", "/charging-stations/{identity}/commands/{id}"): Case(
        "/charging-stations/CP16/commands/command1",
        STAFF,
        404,
        unknown="/charging-stations/ZZ/commands/zz",
    ),
    ("POST", "/charging-stations/{identity}/commands/{id}/cancel"): Case(
        "/charging-stations/CP16/commands/command1/cancel",
        STAFF,
        404,
        unknown="/charging-stations/ZZ/commands/zz/cancel",
    ),
    ("POST", "/command-batches"): Case(
        "/command-batches",
        STAFF,
        body={"action": "ClearCache", "charging_stations": ["CP16"]},
        unknown_body={"action": "ClearCache", "charging_stations": ["ZZ"]},
        also={"rival driver": 403},
    ),
    ("GET", "/command-batches"): Case("/command-batches", {*OWN}, foreign=200),
    ("GET", "/command-batches/{id}"): Case(
        "/command-batches/batch1", STAFF, 404, unknown="/command-batches/zz"
    ),
    ("POST", "/command-batches/{id}/cancel"): Case(
        "/command-batches/batch1/cancel", STAFF, 404, unknown="/command-batches/zz/cancel"
    ),
    ("GET", "/charging-stations/{identity}/security"): Case(
        "/charging-stations/CP16/security", STAFF, 404, unknown="/charging-stations/ZZ/security"
    ),
    ("POST", "/charging-stations/{identity}/security"): Case(
        "/charging-stations/CP16/security",
        STAFF,
        404,
        unknown="/charging-stations/ZZ/security",
        body={"action": "renew"},
    ),
    ("POST", "/charging-stations/{identity}/certificates/{id}/revoke"): Case(
        "/charging-stations/CP16/certificates/CERTIFICATE/revoke",
        MANAGERS,
        unknown="/charging-stations/ZZ/certificates/1/revoke",
        also={"accountant": 404, "driver": 404, "other driver": 404, "narrowed": 404},
    ),
    ("GET", "/charging-stations/{identity}/relay"): device("relay"),
    ("POST", "/charging-stations/{identity}/relay"): Case(
        "/charging-stations/CP17/relay",
        MANAGERS,
        404,
        unknown="/charging-stations/ZZ/relay",
        body={"url": "wss://csms.example.org/ocpp"},
        also={"technician": 403},
    ),
    ("POST", "/charging-stations/{identity}/relay/remove"): Case(
        "/charging-stations/CP17/relay/remove",
        set(),  # allowed to managers, and refused because there is none
        404,
        unknown="/charging-stations/ZZ/relay/remove",
        also={"technician": 403},
    ),
    ("GET", "/charging-stations/{identity}/relay/answers"): device("relay/answers"),
    ("GET", "/charging-stations/{identity}/frames"): Case(
        "/charging-stations/CP16/frames", STAFF, 404, unknown="/charging-stations/ZZ/frames"
    ),
    ("GET", "/charging-stations/{identity}/notices"): device("notices"),
    ("GET", "/charging-stations/{identity}/errands"): device("errands"),
    ("GET", "/charging-stations/{identity}/errands/{errand}"): Case(
        "/charging-stations/CP17/errands/1", STAFF, 404, unknown="/charging-stations/ZZ/errands/1"
    ),
    ("GET", "/charging-stations/{identity}/evse-reservations"): device("evse-reservations"),
    ("GET", "/charging-stations/{identity}/charging-limits"): device("charging-limits"),
    ("GET", "/charging-stations/{identity}/journal"): device("journal"),
    ("POST", "/charging-stations/{identity}/logs"): device("logs", {"kind": "diagnostics"}),
    ("GET", "/device-files"): Case("/device-files", {*OWN}, foreign=200),
    ("GET", "/device-files/{file}"): Case("/device-files/fw1", STAFF, 404, unknown="/device-files/zz"),
    ("POST", "/firmware"): Case(
        "/firmware",
        STAFF,
        422,
        foreign=422,
        body={"name": "fw-2.bin", "organisation": "org"},
        unknown_body={"name": "fw-2.bin", "organisation": "zz"},
    ),
    ("POST", "/firmware/{file}/campaigns"): Case(
        "/firmware/fw1/campaigns",
        STAFF,
        422,
        foreign=422,
        unknown="/firmware/zz/campaigns",
        body={"charging_stations": ["CP17"], "organisation": "org"},
        unknown_body={"charging_stations": ["CP17"], "organisation": "zz"},
    ),
    ("GET", "/unknown-charging-stations"): Case("/unknown-charging-stations", {*OWN}, foreign=200),
    ("POST", "/unknown-charging-stations/{identity}/adopt"): Case(
        "/unknown-charging-stations/NEW-9/adopt", MANAGERS, body=ADOPT, unknown_body=ADOPT | {"station": "zz"}
    ),
    ("GET", "/charging-stations/{identity}/configuration"): Case(
        "/charging-stations/CP16/configuration", STAFF, 404, unknown="/charging-stations/ZZ/configuration"
    ),
    ("POST", "/charging-stations/{identity}/configuration/apply"): Case(
        "/charging-stations/CP16/configuration/apply",
        STAFF,
        404,
        unknown="/charging-stations/ZZ/configuration/apply",
    ),
    ("POST", "/charging-stations/{identity}/boot-policy"): Case(
        "/charging-stations/CP16/boot-policy",
        MANAGERS,
        404,
        unknown="/charging-stations/ZZ/boot-policy",
        body={"policy": "pending"},
        also={"technician": 403},
    ),
    ("GET", "/charging-stations/{identity}/probe"): Case(
        "/charging-stations/CP16/probe", STAFF, 404, unknown="/charging-stations/ZZ/probe"
    ),
    ("POST", "/charging-stations/{identity}/probe"): Case(
        "/charging-stations/CP16/probe",
        set(),  # allowed to the staff, and refused because the station is offline
        404,
        unknown="/charging-stations/ZZ/probe",
        also=dict.fromkeys(STAFF, 422),
    ),
    ("GET", "/desired-settings"): Case("/desired-settings", {*OWN}, foreign=200),
    ("POST", "/desired-settings"): Case(
        "/desired-settings",
        MANAGERS,
        foreign=422,
        body=SETTING | {"organisation": "org"},
        unknown_body=SETTING | {"organisation": "zz"},
        also={"rival driver": 403},
    ),
    ("POST", "/desired-settings/standard"): Case(
        "/desired-settings/standard",
        MANAGERS,
        foreign=422,
        body={"organisation": "org"},
        unknown_body={"organisation": "zz"},
        also={"rival driver": 403},
    ),
    ("POST", "/desired-settings/{id}/forget"): Case(
        "/desired-settings/1/forget",
        MANAGERS,
        404,
        unknown="/desired-settings/9/forget",
        also={"technician": 403},
    ),
    ("GET", "/charging-transactions"): Case(
        "/charging-transactions?charging_station=CP16", {*OWN}, foreign=200
    ),
    ("GET", "/charging-transactions/review"): Case("/charging-transactions/review", {*OWN}, foreign=200),
    ("GET", "/charging-transactions/{id}/review"): Case(
        "/charging-transactions/1/review", STAFF, 404, unknown="/charging-transactions/999/review"
    ),
    ("POST", "/charging-transactions/{id}/settlement"): Case(
        "/charging-transactions/1/settlement",
        MANAGERS,
        404,
        unknown="/charging-transactions/999/settlement",
        body={"how": "none"},
        also={"technician": 403},
    ),
    ("GET", "/authorisation-attempts"): Case("/authorisation-attempts", {*OWN}, foreign=200),
    ("GET", "/id-tokens"): Case("/id-tokens", {*OWN}, foreign=200),
    ("POST", "/id-tokens"): Case(
        "/id-tokens",
        MANAGERS,
        foreign=422,
        body={"token": "D4", "type": "ISO14443", "status": "Accepted", "organisation": "org"},
        unknown_body={"token": "D4", "type": "ISO14443", "status": "Accepted", "organisation": "zz"},
        also={"rival driver": 403},
    ),
    ("GET", "/vehicles"): Case("/vehicles", {*OWN}, foreign=200),
    ("GET", "/stations/{id}/charging-plan"): Case(
        "/stations/st/charging-plan", STAFF, 404, unknown="/stations/zz/charging-plan"
    ),
    ("GET", "/availability"): Case(
        f"/availability?community=com{TIMES_QUERY}",
        {*OWN},
        unknown=f"/availability?community=zz{TIMES_QUERY}",
    ),
    ("POST", "/bookings"): Case(
        "/bookings",
        {"driver", *MANAGERS},
        body=BOOK,
        unknown_body=BOOK | {"vehicle": "zz"},
    ),
    ("GET", "/bookings"): Case(
        "/bookings?driver=d1", {"driver", *STAFF}, foreign=200, also={"rival driver": 403}
    ),
    ("GET", "/bookings/{id}"): Case("/bookings/b1", {"driver", *STAFF}, unknown="/bookings/zz"),
    ("POST", "/bookings/{id}/extend"): booking("extend", {"end_at": at(4, day=0)}),
    ("POST", "/bookings/{id}/shorten"): booking("shorten", {"end_at": at(1, day=0)}),
    ("POST", "/bookings/{id}/cancel"): booking("cancel"),
    ("POST", "/bookings/{id}/start"): booking("start"),
    ("POST", "/bookings/{id}/return"): booking("return", {"exception": "the cable is torn off"}),
    ("GET", "/invoices"): Case("/invoices?organisation=org", {*OWN}, unknown="/invoices?organisation=zz"),
    ("GET", "/invoices/{id}"): Case(
        "/invoices/INVOICE", {"driver", "accountant", *MANAGERS}, 404, unknown="/invoices/zz"
    ),
    ("GET", "/invoices/{id}.pdf"): Case(
        "/invoices/INVOICE.pdf", {"driver", "accountant", *MANAGERS}, 404, unknown="/invoices/zz.pdf"
    ),
}
KEYS = sorted(CASES)


def test_C1_every_operation_has_a_case() -> None:
    assert set(CASES) == {(operation.method, operation.path) for operation in OPERATIONS}


async def prepared(world: World, key: tuple[str, str]) -> Case:
    """Put the clock and the database where the request makes sense; name the invoice."""
    case = CASES[key]
    if key[1].endswith(("/start", "/return")):
        world.clock.advance(minutes=60)
    if key[1].endswith("/return"):
        assert (await world.api("driver").post("/bookings/b1/start"))[0] == 200
    _, invoices = await world.api("manager").get("/invoices")
    path = case.path.replace("INVOICE", invoices["items"][0]["id"])
    if "CERTIFICATE" in path:
        path = path.replace("CERTIFICATE", str(await issued_certificate(world)))
    return Case(**{**vars(case), "path": path})


async def issued_certificate(world: World) -> int:
    """Store a certificate of CP16; return its id."""

    async def unit(tx: Tx) -> int:
        statement = insert(station_certificates).values(
            organisation_id="org",
            charging_station="CP16",
            state="installed",
            csr="",
            csr_digest="",
            requested_at=NOW,
            fingerprint="ab" * 32,
        )
        return int(await tx.scalar(statement.returning(station_certificates.c.id)))

    return await world.services.db.write("org", unit)


def expected_status(key: tuple[str, str], role: str) -> int:
    case = CASES[key]
    operation = next(one for one in OPERATIONS if (one.method, one.path) == key)
    if role in (case.also or {}):
        return (case.also or {})[role]
    if role in RIVALS:
        return case.foreign
    return operation.status if role in case.allowed else case.refused


EVERYONE = [*sorted(OWN), *sorted(RIVALS)]  # in the same order in every process
GRANTED = [
    (key, role) for key in KEYS for role in EVERYONE if key[0] == "POST" and expected_status(key, role) < 300
]


@pytest.mark.parametrize("key", [key for key in KEYS if key[0] == "GET"], ids=" ".join)
async def test_C1_each_role_reads_what_it_may_see(world: World, key: tuple[str, str]) -> None:
    case = await prepared(world, key)
    for role in EVERYONE:
        await held(world, key, case, role)


@pytest.mark.parametrize("key", [key for key in KEYS if key[0] == "POST"], ids=" ".join)
async def test_C1_each_role_is_refused_what_it_may_not_do(world: World, key: tuple[str, str]) -> None:
    case = await prepared(world, key)
    before = await state_of(world)
    for role in EVERYONE:
        if expected_status(key, role) >= 300:
            await held(world, key, case, role)
    assert await state_of(world) == before


@pytest.mark.parametrize(
    ("key", "role"), GRANTED, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
async def test_C1_each_role_does_what_it_may_do(world: World, key: tuple[str, str], role: str) -> None:
    await held(world, key, await prepared(world, key), role)


async def held(world: World, key: tuple[str, str], case: Case, role: str) -> None:
    """Send the case as the role, hold the answer against the expectation, the description and the secrets."""
    answer = await world.api(role).call(key[0], case.path, json=case.body or {})
    assert (role, answer.status_code) == (role, expected_status(key, role)), answer.text
    check_answer(key, answer.status_code, answer.headers["content-type"], answer.content)
    if role in RIVALS:
        sent = case.path + json.dumps(case.body)
        assert not [word for word in OURS if word in answer.text and word.strip('"') not in sent]


async def state_of(world: World) -> list[Any]:
    api = world.api("admin")
    lists = (
        "/charging-stations",
        "/charging-transactions",
        "/id-tokens",
        "/bookings?driver=d1",
        "/bookings?driver=d2",
        "/invoices",
    )
    return [await api.get(path) for path in lists]


# Words of organisation org that stand in no word of the rival's.
OURS = ['"CP16"', '"car-1"', '"car-2"', '"d1"', '"b1"', '"org"', '"AA-001-AA"', "d1 secret-name", '"old1"']


@pytest.mark.parametrize(
    "key", [key for key in KEYS if CASES[key].unknown or CASES[key].unknown_body], ids=" ".join
)
async def test_C1_what_is_foreign_answers_like_what_does_not_exist(
    world: World, key: tuple[str, str]
) -> None:
    case = await prepared(world, key)
    names = [
        *case.path.removesuffix(".pdf").split("/")[2:],
        "CP16",
        "CP17",
        "b1",
        "st",
        "com",
        "car-2",
        "org",
    ]
    for role in RIVALS:
        foreign = await world.api(role).call(key[0], case.path, json=case.body or {})
        nothing = await world.api(role).call(
            key[0], case.unknown or case.path, json=case.unknown_body or case.body or {}
        )
        assert foreign.status_code == nothing.status_code
        assert without(foreign.text, names) == without(nothing.text, ["ZZ", "zz"])


def without(text: str, names: list[str]) -> str:
    document = json.loads(text)
    facts = json.dumps(document["details"]) + document["message"]
    for name in sorted(names, key=len, reverse=True):
        for quoted in (f"'{name}'", f'"{name}"', f"({name})", f" {name})"):
            facts = facts.replace(quoted, "(id)")
    return f"{document['code']}{facts}"


TOKENS = [None, "", "wrong", "revoked", "token-of-admin-and-more", "\xff\xfe", "a b"]


@pytest.mark.parametrize("token", TOKENS)
async def test_C1_without_a_valid_token_nothing_is_told(world: World, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode("latin-1")}
    for method, path in KEYS:
        answer = await world.api(None).call(method, CASES[method, path].path, json={}, headers=headers)
        assert (answer.status_code, answer.json()) == (
            401,
            {"code": "unauthenticated", "message": "a valid bearer token is wanted", "details": {}},
        )
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer", "BEARER"])
async def test_only_the_bearer_scheme_is_known(world: World, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} token-of-admin"}
    answer = await world.api(None).call("GET", "/vehicles", headers=headers)
    assert answer.status_code == (200 if scheme.lower() == "bearer" else 401)


async def test_a_disabled_person_has_no_valid_token(world: World) -> None:
    async def disable(tx: Tx) -> None:
        await tx.execute(update(people).where(people.c.id == "m1").values(disabled_at=NOW))

    await world.services.db.write(TESTS, disable)
    assert (await world.api("admin").get("/vehicles"))[0] == 401


async def test_no_answer_holds_a_secret(world: World) -> None:
    api = world.api("admin")
    for path in ("/charging-stations", "/charging-stations/CP16", "/charging-stations/CP16/frames"):
        assert SECRET not in (await api.call("GET", path)).text


# --- answers against their own description ----------------------------------------------------------


def closed(schema: Any) -> Any:
    """Return the schema with every record closed: a field that is not described fails."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return parts | ({"additionalProperties": False} if "properties" in schema else {})


DESCRIPTION = document()


def check_answer(key: tuple[str, str], status: int, content_type: str, content: bytes) -> None:
    """Hold an answer against what the OpenAPI document says of it."""
    method, path = key
    responses = DESCRIPTION["paths"][path][method.lower()]["responses"]
    described = responses.get(str(status), responses["default"])["content"]
    media_type = content_type.partition(";")[0]
    assert media_type in described
    if media_type == "application/json":
        schema = {**described[media_type]["schema"], "components": DESCRIPTION["components"]}
        jsonschema_rs.validator_for(closed(schema), validate_formats=True).validate(json.loads(content))
