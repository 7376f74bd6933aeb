"""The SMS gateway and its twin over a real socket."""

from __future__ import annotations

import httpx2
import pytest

from supervision.kernel.errors import FieldError
from supervision.notify.model import DeliveryError, Receipt, Sms
from supervision.notify.providers import open_providers
from supervision.notify.providers.mail.kept import KeptMail
from supervision.notify.providers.sms.gateway import SmsGateway
from supervision.notify.providers.sms.twin import Accepted, SmsTwin
from tests.integration.notify_doubles import bound_socket, http_server

SMS = Sms(reference="7-sms-1795248000000", recipient="+33600000001", text="Zoé, Eurre : code 48213370")


async def refusal(gateway: SmsGateway) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await gateway.send(SMS)
    return caught.value


async def test_sms_sent_is_accepted_with_the_gateways_id() -> None:
    twin = SmsTwin(token="t")
    async with http_server(twin.app) as url, SmsGateway.open(f"{url}/sms", token="t") as gateway:
        assert await gateway.send(SMS) == Receipt(reference="sms-1")
    assert twin.accepted == [
        Accepted(id="sms-1", to="+33600000001", text="Zoé, Eurre : code 48213370", reference=SMS.reference)
    ]


async def test_sms_repeated_is_sent_once() -> None:
    twin = SmsTwin(token="t")
    async with http_server(twin.app) as url, SmsGateway.open(f"{url}/sms", token="t") as gateway:
        assert [await gateway.send(SMS), await gateway.send(SMS)] == [Receipt(reference="sms-1")] * 2
    assert (twin.calls, len(twin.accepted)) == (2, 1)


@pytest.mark.parametrize(
    ("status", "permanent", "unreachable"),
    [
        (400, True, False),
        (422, True, False),
        (401, False, True),
        (429, False, False),
        (500, False, True),
        (503, False, True),
    ],
)
async def test_sms_refused_then_accepted(status: int, permanent: bool, unreachable: bool) -> None:
    twin = SmsTwin(token="t")
    twin.fail_next(status)
    async with http_server(twin.app) as url, SmsGateway.open(f"{url}/sms", token="t") as gateway:
        error = await refusal(gateway)
        assert (str(error), error.permanent, error.unreachable) == (f"HTTP {status}", permanent, unreachable)
        await gateway.send(SMS)
    assert len(twin.accepted) == 1


async def test_sms_wrong_token_blames_no_sms() -> None:
    twin = SmsTwin(token="t")
    async with http_server(twin.app) as url, SmsGateway.open(f"{url}/sms", token="other") as gateway:
        assert (await refusal(gateway)).unreachable
    assert twin.accepted == []


async def test_sms_gateway_down_or_silent_is_unreachable() -> None:
    bound = bound_socket()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}/sms"
    async with SmsGateway.open(url, token="t", timeout_s=0.05) as gateway:
        assert (await refusal(gateway)).unreachable
        bound.listen()  # the kernel accepts, nobody answers
        assert (await refusal(gateway)).unreachable
    bound.close()


async def test_twin_over_http_lists_fails_on_demand_and_refuses_nonsense() -> None:
    twin = SmsTwin(token="t")
    headers = {"Authorization": "Bearer t"}
    async with http_server(twin.app) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        assert (await client.post("/failures", json={"status": 503, "times": 2})).status_code == 204
        answers = [await client.post("/sms", json={"to": "+33600000001", "text": "a"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 503, 202]
        assert (await client.get("/sms")).json() == {
            "items": [{"id": "sms-3", "to": "+33600000001", "text": "a", "reference": ""}]
        }
        assert (await client.post("/sms", json={"to": "0600000001", "text": "a"})).status_code == 422
        assert (await client.post("/sms", content=b"{")).status_code == 422
        assert (await client.post("/failures", json={"status": 200})).status_code == 422
        bare = {"Authorization": ""}
        for answer in (
            await client.get("/sms", headers=bare),
            await client.post("/sms", json={}, headers=bare),
            await client.post("/failures", json={}, headers=bare),
        ):
            assert answer.status_code == 401


async def test_open_providers_nothing_configured_keeps_mails_and_sends_no_sms() -> None:
    async with open_providers(smtp_url="", mail_from="a@example.org", sms_url="", sms_token="") as providers:
        assert isinstance(providers.mail, KeptMail)
        assert providers.sms is None


async def test_open_providers_wrong_address_names_the_setting() -> None:
    with pytest.raises(FieldError, match="sms_url"):
        async with open_providers(smtp_url="", mail_from="a@example.org", sms_url="ftp://x", sms_token=""):
            raise AssertionError
