"""The import document, read and checked: pure, so that a broken file never reaches the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from supervision.accounts.model import CommunityRules, RoleName
from supervision.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from supervision.billing.tariff import parse_tariff, tariff_document
from supervision.csms import credentials
from supervision.csms.kinds import KINDS, MIN_A
from supervision.kernel.errors import FieldError
from supervision.kernel.reading import Fields, read_json

_SLOTS = 99


@dataclass(frozen=True)
class Reference:
    """A field that names an entry of another section."""

    path: str
    section: str
    id: str


@dataclass
class Entry:
    """One row to be: its table, its key, its values, what it refers to."""

    path: str
    section: str
    key: dict[str, Any]
    values: dict[str, Any]
    references: list[Reference] = field(default_factory=list)
    password: str | None = None
    roles: list[dict[str, Any]] = field(default_factory=list)
    evses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return the operator's id."""
        return str(next(iter(self.key.values())))


def parse(text: str) -> list[Entry]:
    """Read the document; FieldError names the first wrong field. References are checked when applying."""
    document = Fields(read_json(text), "$")
    entries = [read(item) for section, read in READERS.items() for item in document.children(section)]
    document.close()
    _refuse_repeats(entries)
    return entries


def _refuse_repeats(entries: Iterable[Entry]) -> None:
    seen: set[tuple[str, tuple[Any, ...]]] = set()
    for entry in entries:
        name = (entry.section, tuple(entry.key.values()))
        if name in seen:
            raise FieldError(entry.path, f"{entry.id!r} appears twice")
        seen.add(name)


def _organisation(item: Fields) -> Entry:
    entry = Entry(item.path, "organisations", {"id": item.text("id")}, {"name": item.text("name")})
    legal = item.raw("legal")
    if legal is not None:
        if not isinstance(legal, dict):
            raise FieldError(item.at("legal"), "an object is wanted")
        entry.values["legal"] = legal
    if item.has("master_pass_group"):
        entry.values["master_pass_group"] = item.text("master_pass_group")
    item.ignore("master_pass_group")
    item.close()
    return entry


def _community(item: Fields) -> Entry:
    rules = item.raw("rules") or {}
    if not isinstance(rules, dict):
        raise FieldError(item.at("rules"), "an object is wanted")
    entry = Entry(
        item.path,
        "communities",
        {"id": item.text("id")},
        {
            "name": item.text("name"),
            "zone": item.zone("zone").key if item.has("zone") else "Europe/Paris",
            "rules": CommunityRules.from_json(rules, item.at("rules")).to_json(),
            "support_phone": item.text("support_phone") if item.has("support_phone") else None,
        },
        [Reference(item.at("organisation"), "organisations", item.text("organisation"))],
    )
    item.ignore("zone", "support_phone")
    item.close()
    return entry


def _station(item: Fields) -> Entry:
    grid = item.child("grid_connection")
    limits = [Fields({"a": value}, path).decimal("a") for value, path in grid.sequence("limit_a")]
    if len(limits) != 3:  # noqa: PLR2004 - one limit per phase
        raise FieldError(grid.at("limit_a"), "three limits in amperes are wanted, one per phase")
    entry = Entry(
        item.path,
        "stations",
        {"id": item.text("id")},
        {
            "name": item.text("name"),
            "lat": _degrees(item, "lat", 90),
            "lon": _degrees(item, "lon", 180),
            "grid_limit_a": [float(limit) for limit in limits],
            "grid_voltage_v": grid.integer("voltage_v", at_least=100, at_most=480)
            if grid.has("voltage_v")
            else 230,
            "electricity_prices": [dict(_price(price)) for price in item.children("electricity_prices")],
        },
        [Reference(item.at("community"), "communities", item.text("community"))],
    )
    grid.ignore("voltage_v")
    grid.close()
    item.close()
    return entry


def _degrees(item: Fields, name: str, most: int) -> float | None:
    item.ignore(name)
    if not item.has(name):
        return None
    return float(item.decimal(name, at_least=-Decimal(most), at_most=Decimal(most)))


def _price(item: Fields) -> Mapping[str, Any]:
    price = {
        "local_from": item.text("local_from"),
        "eur_per_kwh": str(item.decimal("eur_per_kwh", at_most=Decimal(10))),
    }
    item.close()
    return price


def _charging_station(item: Fields) -> Entry:
    profile = item.integer("security_profile", at_least=0, at_most=3) if item.has("security_profile") else 1
    item.ignore("security_profile", "password")
    password = item.text("password") if item.has("password") else None
    if profile in (1, 2) and password is None:
        raise FieldError(item.at("password"), f"missing: security profile {profile} needs one")
    if profile == 0 and password is not None:
        raise FieldError(item.at("password"), "a station of security profile 0 has none")
    low, high = credentials.MIN_BYTES, credentials.MAX_BYTES
    if password is not None and not low <= len(password.encode()) <= high:
        raise FieldError(item.at("password"), f"{low} to {high} bytes are wanted")
    entry = Entry(
        item.path,
        "charging_stations",
        {"identity": item.text("identity")},
        {"security_profile": profile},
        [Reference(item.at("station"), "stations", item.text("station"))],
        password=password,
        evses=[_evse(evse) for evse in item.children("evses")],
    )
    if not entry.evses:
        raise FieldError(item.at("evses"), "at least one EVSE is wanted")
    if len({evse["evse_id"] for evse in entry.evses}) != len(entry.evses):
        raise FieldError(item.at("evses"), "an EVSE id appears twice")
    item.close()
    return entry


def _evse(item: Fields) -> dict[str, Any]:
    kind = item.choice("kind", tuple(KINDS))
    usual = KINDS[kind]
    phases = [
        Fields({"p": value}, path).integer("p", at_least=1, at_most=3)
        for value, path in item.sequence("phases")
    ]
    if not phases:
        phases = list(range(1, usual.phase_count + 1))
    if len(set(phases)) != len(phases):
        raise FieldError(item.at("phases"), "a phase appears twice")
    row: dict[str, Any] = {
        "evse_id": item.integer("id", at_least=1, at_most=64),
        "kind": kind,
        "phases": phases,
        "max_a": _amperes(item, "max_a", usual.max_a),
        "min_a": _amperes(item, "min_a", MIN_A),
    }
    item.close()
    if row["min_a"] > row["max_a"]:
        raise FieldError(item.at("min_a"), "is above max_a")
    return row


def _amperes(item: Fields, name: str, usual: float | None) -> float:
    item.ignore(name)
    if usual is not None and not item.has(name):
        return usual
    return float(item.decimal(name, at_least=Decimal(6), at_most=Decimal(80)))


def _vehicle(item: Fields) -> Entry:
    evse = item.text("evse") if item.has("evse") else None
    references = [Reference(item.at("station"), "stations", item.text("station"))]
    values: dict[str, Any] = {
        "plate": item.text("plate"),
        "model": item.text("model"),
        "name": item.text("name") if item.has("name") else f"{item.text('model')} {item.text('plate')}",
        "battery_wh": item.integer("battery_wh", at_least=1000, at_most=300_000),
        "phases": item.integer("phases", at_least=1, at_most=3),
        "max_a": _amperes(item, "max_a", None),
        "min_a": _amperes(item, "min_a", MIN_A),
        "wh_per_km": item.integer("wh_per_km", at_least=20, at_most=1000),
        "efficiency": float(item.decimal("efficiency", at_least=Decimal(0), at_most=Decimal(1)))
        if item.has("efficiency")
        else 0.9,
        "tariff_id": item.text("tariff") if item.has("tariff") else None,
        "key_box_slot": item.integer("key_box_slot", at_least=1, at_most=_SLOTS)
        if item.has("key_box_slot")
        else None,
    }
    item.ignore("evse", "name", "efficiency", "tariff", "key_box_slot")
    if values["tariff_id"]:
        references.append(Reference(item.at("tariff"), "tariffs", values["tariff_id"]))
    if evse:
        identity, _, number = evse.rpartition("/")
        if not identity or not number.isdigit():
            raise FieldError(item.at("evse"), "IDENTITY/NUMBER is wanted, such as EURRE-1/1")
        references.append(Reference(item.at("evse"), "evses", f"{identity}/{int(number)}"))
        values |= {"charging_station": identity, "evse_id": int(number)}
    entry = Entry(item.path, "vehicles", {"id": item.text("id")}, values, references)
    item.close()
    return entry


def _person(item: Fields) -> Entry:
    email = item.text("email").strip().lower()
    if "@" not in email or len(email) > 254 or any(c.isspace() for c in email):  # noqa: PLR2004 - RFC 5321
        raise FieldError(item.at("email"), "a mail address is wanted")
    password = item.text("password") if item.has("password") else None
    if password is not None and not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise FieldError(item.at("password"), f"{MIN_LENGTH} to {MAX_LENGTH} characters are wanted")
    values: dict[str, Any] = {
        "email": email,
        "name": item.text("name"),
        "phone": item.text("phone") if item.has("phone") else None,
        "locale": item.choice("locale", ("fr", "en")) if item.has("locale") else "fr",
        "licence_number": None,
        "licence_category": None,
        "licence_valid_until": None,
    }
    if item.has("licence"):
        licence = item.child("licence")
        values |= {
            "licence_number": licence.text("number"),
            "licence_category": licence.text("category"),
            "licence_valid_until": licence.local_date("valid_until"),
        }
        licence.close()
    item.ignore("password", "phone", "locale", "licence")
    entry = Entry(item.path, "people", {"id": item.text("id")}, values, password=password)
    for role in item.children("roles"):
        entry.roles.append(_role(role, entry.references))
    item.close()
    return entry


def _role(item: Fields, references: list[Reference]) -> dict[str, Any]:
    row = {"role": item.choice("role", tuple(RoleName)), "organisation_id": None, "community_id": None}
    for name, section in (("organisation", "organisations"), ("community", "communities")):
        item.ignore(name)
        if item.has(name):
            row[f"{name}_id"] = item.text(name)
            references.append(Reference(item.at(name), section, item.text(name)))
    if row["organisation_id"] is None and row["community_id"] is None:
        raise FieldError(item.at("organisation"), "missing: a role stands in an organisation or a community")
    item.close()
    return row


def _id_token(item: Fields) -> Entry:
    token = item.text("token")
    values: dict[str, Any] = {
        "token": token,
        "type": item.text("type"),
        "status": item.choice("status", ("Accepted", "Blocked", "Expired", "Invalid")),
        "person_id": item.text("person") if item.has("person") else None,
        "parent": item.text("parent") if item.has("parent") else None,
        "expires_at": item.instant("expires_at") if item.has("expires_at") else None,
    }
    references = []
    if values["person_id"]:
        references.append(Reference(item.at("person"), "people", values["person_id"]))
    if item.has("organisation"):
        references.append(Reference(item.at("organisation"), "organisations", item.text("organisation")))
    item.ignore("person", "parent", "expires_at", "organisation")
    item.close()
    return Entry(item.path, "id_tokens", {"token_key": token.lower()}, values, references)


def _tariff(item: Fields) -> Entry:
    tariff = parse_tariff({name: item.raw(name) for name in item.names()}, item.path)
    if not tariff.id or not tariff.valid_from or not tariff.community:
        missing = next(name for name in ("id", "community", "valid_from") if not getattr(tariff, name))
        raise FieldError(item.at(missing), "missing")
    return Entry(
        item.path,
        "tariffs",
        {"id": tariff.id, "valid_from": tariff.valid_from},
        {"terms": tariff_document(tariff), "name": getattr(tariff, "name", None)},
        [Reference(item.at("community"), "communities", tariff.community)],
    )


def _key_box(item: Fields) -> Entry:
    config = item.raw("config") or {}
    if not isinstance(config, dict):
        raise FieldError(item.at("config"), "an object is wanted")
    entry = Entry(
        item.path,
        "key_boxes",
        {"id": item.text("id")},
        {"provider": item.choice("provider", ("simulated",)), "config": config},
        [Reference(item.at("station"), "stations", item.text("station"))],
    )
    item.close()
    return entry


READERS: dict[str, Callable[[Fields], Entry]] = {
    "organisations": _organisation,
    "communities": _community,
    "stations": _station,
    "charging_stations": _charging_station,
    "tariffs": _tariff,
    "vehicles": _vehicle,
    "people": _person,
    "id_tokens": _id_token,
    "key_boxes": _key_box,
}
