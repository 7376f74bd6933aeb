"""The security of a charging station as its operators see and change it: API and page."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update

from supervision.csms.local_authority import LocalAuthority, private_pem
from supervision.store.db import Tx
from supervision.store.schema import charging_stations, station_certificates
from tests.factories import NOW, TESTS
from tests.integration.secure_central import ec_key, hash_fields
from tests.serving import World

PAGE = "/charging-stations/CP16"
SECRETS = ("PRIVATE KEY", "password_hash", "password_salt")


async def with_certificates(world: World) -> None:
    """CP16 has told of our root and of another, and took a certificate."""
    root = hash_fields(world.services.certificates.authority.root)
    items = [
        {"kind": "CSMSRootCertificate", **root},
        {"kind": "ManufacturerRootCertificate", **root, "issuerKeyHash": "00"},
    ]

    async def unit(tx: Tx) -> None:
        await tx.execute(
            update(charging_stations)
            .where(charging_stations.c.identity == "CP16")
            .values(installed_certificates={"at": "2026-11-21T08:00:00Z", "items": items}, wanted_profile=2)
        )
        await tx.execute(
            insert(station_certificates).values(
                organisation_id="org",
                charging_station="CP16",
                state="installed",
                csr="the request",
                csr_digest="",
                requested_at=NOW,
                chain="the chain",
                serial="5B7C",
                fingerprint="ab" * 32,
                not_before=NOW,
                not_after=NOW,
                installed_at=NOW,
            )
        )

    await world.services.db.write(TESTS, unit)


async def test_security_is_told_without_any_secret(world: World) -> None:
    await with_certificates(world)
    status, told = await world.api("technician").get("/charging-stations/CP16/security")
    assert status == 200
    assert (told["security_profile"], told["wanted_profile"], told["password_on_its_way"]) == (1, 2, False)
    assert [item["ours"] for item in told["installed"]["items"]] == [True, False]
    assert told["authority_root"].startswith("-----BEGIN CERTIFICATE-----")
    (certificate,) = told["certificates"]
    assert (certificate["state"], certificate["serial"]) == ("installed", "5B7C")
    page = await world.visit("technician", PAGE)
    assert "5B7C" in page.text
    for secret in SECRETS:
        assert secret not in str(told) + page.text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"action": "list"}, 200, "offline"),
        ({"action": "install"}, 200, "offline"),
        ({"action": "renew"}, 200, "offline"),
        ({"action": "password"}, 200, "offline"),
        ({"action": "profile", "profile": 1}, 422, "profile_not_higher"),
        ({"action": "profile", "profile": 3}, 422, "tls_missing"),
        ({"action": "profile"}, 422, "invalid_field"),
        ({"action": "delete"}, 422, "invalid_field"),
        ({"action": "install", "certificate": "no PEM"}, 422, "root_unreadable"),
        ({"action": "lower"}, 422, "invalid_field"),
    ],
)
async def test_action_through_the_api(world: World, body: dict[str, object], status: int, code: str) -> None:
    found, answer = await world.api("technician").post("/charging-stations/CP16/security", body)
    assert (found, answer.get("state") or answer["code"]) == (status, code)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ({"action": "list"}, "borne hors ligne"),
        ({"action": "install", "kind": "CSMSRootCertificate", "certificate": ""}, "borne hors ligne"),
        ({"action": "delete", "root": "SHA256:aa:bb:01"}, "borne hors ligne"),
        ({"action": "renew"}, "borne hors ligne"),
        ({"action": "password"}, "borne hors ligne"),
        ({"action": "profile", "profile": "2"}, "Le service n’écoute pas en TLS"),
        ({"action": "install", "kind": "CSMSRootCertificate", "certificate": "x"}, "Il faut un certificat"),
        ({"action": "install", "kind": "V2GRootCertificate"}, "kind: unknown"),
        ({"action": "delete", "root": "x"}, "root: unknown"),
        ({"action": "profile", "profile": "two"}, "profile: a number"),
        ({"action": "other"}, "action: unknown"),
    ],
)
async def test_action_through_the_page(world: World, form: dict[str, str], shown: str) -> None:
    page = await world.submit("technician", f"{PAGE}/security", form)
    assert page.status == 200
    assert shown in page.text


async def test_driver_may_do_nothing_of_it(world: World) -> None:
    assert (await world.submit("driver", f"{PAGE}/security", {"action": "renew"})).status in {403, 404}
    assert (await world.submit("technician", f"{PAGE}/security/revoke", {"certificate": "1"})).status == 403


async def test_certificate_is_taken_back_on_the_page(world: World) -> None:
    await with_certificates(world)
    (certificate,) = (await world.api("manager").get("/charging-stations/CP16/security"))[1]["certificates"]
    done = await world.submit("manager", f"{PAGE}/security/revoke", {"certificate": str(certificate["id"])})
    assert done.status == 303
    (certificate,) = (await world.api("manager").get("/charging-stations/CP16/security"))[1]["certificates"]
    assert certificate["state"] == "revoked"
    for wrong in ("999", "x"):
        assert (
            await world.submit("manager", f"{PAGE}/security/revoke", {"certificate": wrong})
        ).status == 404


async def test_what_is_no_root_certificate_is_refused(world: World) -> None:
    authority = world.services.certificates.authority
    assert isinstance(authority, LocalAuthority)
    key, now = ec_key(), world.clock.now()
    leaf = authority.sign_server(key, ["host.example"], now)
    texts = {
        authority.root + private_pem(key): "root_unreadable",
        authority.root * 2: "root_unreadable",
        leaf: "root_no_authority",
    }
    for text, code in texts.items():
        body = {"action": "install", "certificate": text}
        assert (await world.api("manager").post("/charging-stations/CP16/security", body))[1]["code"] == code
    world.clock.advance(days=8000)
    status, answer = await world.api("manager").post(
        "/charging-stations/CP16/security", {"action": "install", "certificate": authority.root}
    )
    assert (status, answer["code"]) == (422, "root_expired")
