"""The demo's service as an import document: five towns, six charging stations, eight cars, a few people.

Names of places are real (the Clem' sheet); people, plates and figures are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ORGANISATION = "val-de-drome"
COMMUNITY = "val-de-drome"
PASSWORD = "autopartage-demo"  # noqa: S105 - printed by the demo, on invented data
STATION_SECRET = "demo-0123456789abcdef"  # noqa: S105 - the emulated chargers of the demo

MANAGER = "gestion@demo.example"
DRIVER = "camille@demo.example"


@dataclass(frozen=True)
class Charger:
    """An emulated charging station."""

    identity: str
    station: str
    ocpp: str
    kind: str
    evses: int
    personality: str = "good"


CHARGERS = (
    Charger("PRIVAS-1", "privas", "1.6", "ac22", 2),
    Charger("AOUSTE-1", "aouste", "1.6", "ac7", 1),
    Charger("CREST-1", "crest", "2.0.1", "ac11", 1),
    Charger("CREST-2", "crest", "1.6", "ac22", 1),
    Charger("EURRE-1", "eurre", "2.0.1", "ac22", 2),
    Charger("LORIOL-1", "loriol", "2.0.1", "dc11", 1),
)

# id, name, lat, lon, amperes per phase
STATIONS = (
    ("privas", "Privas – Champ de Mars", 44.7353, 4.5990, 40),
    ("aouste", "Aouste-sur-Sye – Mairie", 44.7156, 5.0547, 32),
    ("crest", "Crest – Gare", 44.7299, 5.0157, 25),
    ("eurre", "Eurre – Écosite", 44.7573, 4.9886, 35),
    ("loriol", "Loriol-sur-Drôme – Pôle", 44.7527, 4.8220, 18),
)

_MODELS: dict[str, dict[str, Any]] = {
    "zoe-52": {"battery_wh": 52000, "phases": 3, "max_a": 32, "min_a": 8, "wh_per_km": 165},
    "zoe-41": {"battery_wh": 41000, "phases": 3, "max_a": 32, "min_a": 8, "wh_per_km": 160},
    "kangoo-45": {"battery_wh": 45000, "phases": 3, "max_a": 32, "min_a": 8, "wh_per_km": 200},
    "spring-25": {"battery_wh": 25000, "phases": 1, "max_a": 30, "min_a": 6, "wh_per_km": 145},
    "e208-46": {"battery_wh": 46000, "phases": 1, "max_a": 32, "min_a": 6, "wh_per_km": 155},
    "r5-52": {"battery_wh": 52000, "phases": 3, "max_a": 16, "min_a": 6, "wh_per_km": 150},
    "r5-40": {"battery_wh": 40000, "phases": 3, "max_a": 16, "min_a": 6, "wh_per_km": 148},
}

# id, name, plate, model, station, EVSE, key-box slot
VEHICLES = (
    ("zoe-bleue", "Zoé bleue", "AB-123-CD", "zoe-52", "eurre", "EURRE-1/1", 1),
    ("kangoo-mairie", "Kangoo mairie", "EF-456-GH", "kangoo-45", "eurre", "EURRE-1/2", 2),
    ("e208-crest", "e-208", "IJ-789-KL", "e208-46", "crest", "CREST-1/1", 1),
    ("zoe-crest", "Zoé blanche", "MN-234-OP", "zoe-41", "crest", "CREST-2/1", 2),
    ("spring-aouste", "Spring", "QR-567-ST", "spring-25", "aouste", "AOUSTE-1/1", 1),
    ("r5-loriol", "R5 jaune", "UV-890-WX", "r5-52", "loriol", "LORIOL-1/1", 1),
    ("zoe-privas", "Zoé grise", "YZ-135-AB", "zoe-52", "privas", "PRIVAS-1/1", 1),
    ("r5-privas", "R5 verte", "CD-246-EF", "r5-40", "privas", "PRIVAS-1/2", 2),
)

_DRIVERS = (
    ("camille", "Camille Bernard", "fr"),
    ("dominique", "Dominique Morel", "fr"),
    ("claude", "Claude Faure", "fr"),
    ("alex", "Alex Brown", "en"),
    ("sacha", "Sacha Roux", "fr"),
    ("andrea", "Andréa Blanc", "fr"),
    ("maxime", "Maxime Girard", "fr"),
    ("lou", "Lou Chevalier", "fr"),
)
DRIVER_IDS = tuple(name for name, _, _ in _DRIVERS)


def document() -> dict[str, Any]:
    """Return the import document."""
    return {
        "organisations": [
            {
                "id": ORGANISATION,
                "name": "Autopartage Val de Drôme",
                "legal": {"address": "96 ronde des Alisiers, 26400 Eurre", "vat_rate": "0.20"},
            }
        ],
        "communities": [
            {
                "id": COMMUNITY,
                "organisation": ORGANISATION,
                "name": "Val de Drôme",
                "zone": "Europe/Paris",
                "support_phone": "+33400000000",
                "rules": {},
            }
        ],
        "stations": [_station(*row) for row in STATIONS],
        "charging_stations": [_charging_station(charger) for charger in CHARGERS],
        "key_boxes": [
            {"id": f"box-{row[0]}", "station": row[0], "provider": "simulated"} for row in STATIONS
        ],
        "tariffs": [
            {
                "id": "standard",
                "community": COMMUNITY,
                "valid_from": "2025-01-01",
                "hour_cents": 300,
                "km_cents": 15,
                "booking_fee_cents": 100,
                "late_per_half_hour_cents": 1000,
            }
        ],
        "vehicles": [_vehicle(*row) for row in VEHICLES],
        "people": [_manager(), *(_driver(n, *row) for n, row in enumerate(_DRIVERS, start=1))],
        "id_tokens": [
            {"token": "04A1B2C3", "type": "ISO14443", "status": "Accepted", "person": "gestion"},
        ],
    }


def _station(identity: str, name: str, lat: float, lon: float, limit_a: int) -> dict[str, Any]:
    return {
        "id": identity,
        "community": COMMUNITY,
        "name": name,
        "lat": lat,
        "lon": lon,
        "grid_connection": {"limit_a": [limit_a] * 3, "voltage_v": 230},
        "electricity_prices": [
            {"local_from": "06:00", "eur_per_kwh": "0.2065"},
            {"local_from": "14:00", "eur_per_kwh": "0.1579"},
            {"local_from": "16:00", "eur_per_kwh": "0.2065"},
            {"local_from": "23:00", "eur_per_kwh": "0.1579"},
        ],
    }


def _charging_station(charger: Charger) -> dict[str, Any]:
    phases = [1] if charger.kind == "ac7" else [1, 2, 3]
    return {
        "identity": charger.identity,
        "station": charger.station,
        "security_profile": 1,
        "password": STATION_SECRET,
        "evses": [
            {"id": number, "kind": charger.kind, "phases": phases} for number in range(1, charger.evses + 1)
        ],
    }


def _vehicle(
    identity: str, name: str, plate: str, model: str, station: str, evse: str, slot: int
) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "plate": plate,
        "model": model,
        "station": station,
        "evse": evse,
        "tariff": "standard",
        "key_box_slot": slot,
        **_MODELS[model],
    }


def _manager() -> dict[str, Any]:
    return {
        "id": "gestion",
        "email": MANAGER,
        "name": "Gestion du service",
        "password": PASSWORD,
        "roles": [{"role": "fleet_manager", "organisation": ORGANISATION}],
    }


def _driver(number: int, identity: str, name: str, locale: str) -> dict[str, Any]:
    return {
        "id": identity,
        "email": f"{identity}@demo.example",
        "name": name,
        "phone": f"+3361234560{number}",
        "locale": locale,
        "password": PASSWORD,
        "roles": [{"role": "driver", "community": COMMUNITY}],
        "licence": {"number": f"14AB{number:05d}", "category": "B", "valid_until": "2035-01-01"},
    }
