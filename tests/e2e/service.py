"""A small service as an operator would import it: two stations, four cars, a manager, drivers, a stranger."""

from __future__ import annotations

from typing import Any

PASSWORD = "a long passphrase for tests"
STATION_KEY = "0123456789abcdef0123"
DRIVERS = ("roux", "morel", "fabre", "petit", "blanc")


def document() -> dict[str, Any]:
    """Return the import document; open day and night, so that the tests pass at any hour."""
    return {
        "organisations": [
            {"id": "ccvd", "name": "Communauté de communes du Val de Drôme"},
            {"id": "other", "name": "Une autre collectivité"},
        ],
        "communities": [
            {
                "id": "valdrome",
                "organisation": "ccvd",
                "name": "Val de Drôme",
                "zone": "Europe/Paris",
                "rules": {"lead_min": 0, "closed": None},
            },
            {"id": "elsewhere", "organisation": "other", "name": "Ailleurs", "zone": "Europe/Paris"},
        ],
        "stations": [
            _station("eurre", "Eurre – Écosite", 44.76, 4.99),
            _station("crest", "Crest – Gare", 44.73, 5.02),
        ],
        "charging_stations": [
            _charging_station("EURRE-1", "eurre", "ac22", evses=4),
            _charging_station("CREST-1", "crest", "ac11", evses=1),
        ],
        "vehicles": [
            _vehicle("zoe", "EURRE-1/1", "AB-123-CD", "zoe-52"),
            _vehicle("kangoo", "EURRE-1/2", "EF-456-GH", "kangoo"),
            _vehicle("megane", "EURRE-1/3", "QR-345-ST", "megane"),
            _vehicle("twingo", "EURRE-1/4", "UV-678-WX", "twingo"),
            {**_vehicle("e208", "CREST-1/1", "IJ-789-KL", "e-208"), "station": "crest"},
        ],
        "people": [
            _person("martin", "Camille Martin", role="fleet_manager", organisation="ccvd"),
            *(_person(name, f"D. {name.title()}", role="driver", community="valdrome") for name in DRIVERS),
            _person("foreign", "Foreign Manager", role="fleet_manager", organisation="other"),
        ],
        "tariffs": [
            {
                "id": "t1",
                "community": "valdrome",
                "valid_from": "2026-01-01",
                "hour_cents": 600,
                "km_cents": 0,
                "booking_fee_cents": 100,
                "late_per_half_hour_cents": 1000,
            }
        ],
    }


def _station(key: str, name: str, lat: float, lon: float) -> dict[str, Any]:
    grid = {"limit_a": [35, 35, 35], "voltage_v": 230}
    return {"id": key, "community": "valdrome", "name": name, "lat": lat, "lon": lon, "grid_connection": grid}


def _charging_station(identity: str, station: str, kind: str, *, evses: int) -> dict[str, Any]:
    most = {"ac22": 32, "ac11": 16}[kind]
    places = [
        {"id": number, "kind": kind, "phases": [1, 2, 3], "max_a": most, "min_a": 6}
        for number in range(1, evses + 1)
    ]
    return {
        "identity": identity,
        "station": station,
        "security_profile": 1,
        "password": STATION_KEY,
        "evses": places,
    }


def _vehicle(key: str, evse: str, plate: str, model: str) -> dict[str, Any]:
    return {
        "id": key,
        "station": "eurre",
        "evse": evse,
        "plate": plate,
        "name": key.title(),
        "model": model,
        "battery_wh": 52000,
        "phases": 3,
        "max_a": 32,
        "min_a": 8,
        "wh_per_km": 165,
        "tariff": "t1",
    }


def _person(key: str, name: str, *, role: str, **place: str) -> dict[str, Any]:
    return {
        "id": key,
        "email": f"{key}@example.org",
        "name": name,
        "password": PASSWORD,
        "roles": [{"role": role, **place}],
        "licence": {"number": "12AB34567", "category": "B", "valid_until": "2035-01-01"},
    }
