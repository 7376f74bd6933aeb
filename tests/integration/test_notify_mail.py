"""SMTP over a real socket: what is sent, and what each kind of failure means."""

from __future__ import annotations

import pytest

from supervision.kernel.errors import FieldError
from supervision.notify.model import DeliveryError, Mail, Receipt, Words
from supervision.notify.providers.mail.kept import KeptMail
from supervision.notify.providers.mail.smtp import SmtpMail
from tests.conftest import NOW
from tests.integration.notify_doubles import MailBox, bound_socket, client_tls, server_tls, smtp_server

FROM = "autopartage@valdrome.example"
MAIL = Mail(
    reference="7-mail-1795248000000",
    recipient="chloe@example.org",
    sender_name='Val de Drôme, "autopartage"',
    words=Words(
        subject="Réservation confirmée : Zoé", text="Bonjour Chloé,\n\nà bientôt\n", html="<p>Chloé</p>"
    ),
    language="fr",
    at=NOW,
)


def smtp(port: int, *, login: str = "", **options: object) -> SmtpMail:
    return SmtpMail.from_url(f"smtp://{login}127.0.0.1:{port}", mail_from=FROM, **options)  # type: ignore[arg-type]


async def refusal(provider: SmtpMail, mail: Mail = MAIL) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await provider.send(mail)
    return caught.value


async def test_mail_sent_arrives_with_its_headers_and_both_parts() -> None:
    box = MailBox()
    async with smtp_server(box) as port:
        receipt = await smtp(port).send(MAIL)
    assert receipt == Receipt(reference="<7-mail-1795248000000@valdrome.example>")
    [letter] = box.received
    assert box.recipients == ["chloe@example.org"]
    assert letter["From"].addresses[0].display_name == 'Val de Drôme, "autopartage"'
    assert letter["From"].addresses[0].addr_spec == FROM
    assert letter["To"] == "chloe@example.org"
    assert letter["Subject"] == "Réservation confirmée : Zoé"
    assert letter["Message-ID"] == "<7-mail-1795248000000@valdrome.example>"
    assert letter["Date"] == "Sat, 21 Nov 2026 08:00:00 +0000"
    assert letter["Auto-Submitted"] == "auto-generated"
    text, html = letter.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == "Bonjour Chloé,\n\nà bientôt\n"
    assert html.get_content().strip() == "<p>Chloé</p>"


async def test_mail_repeated_carries_the_same_message_id() -> None:
    box = MailBox()
    async with smtp_server(box) as port:
        await smtp(port).send(MAIL)
        await smtp(port).send(MAIL)
    assert len({letter["Message-ID"] for letter in box.received}) == 1


async def test_authentication_right_password_is_let_in() -> None:
    box = MailBox()
    async with smtp_server(box) as port:
        await smtp(port, login="town:p%40ss%3Aword@").send(MAIL)
    assert box.logins == [("town", "p@ss:word")]
    assert len(box.received) == 1


async def test_authentication_wrong_password_blames_no_mail_and_stays_secret() -> None:
    box = MailBox()
    async with smtp_server(box) as port:
        error = await refusal(smtp(port, login="town:secret-password@"))
    assert (error.permanent, error.unreachable) == (False, True)
    assert "secret-password" not in str(error)
    assert box.received == []


@pytest.mark.parametrize(
    ("answer", "permanent"), [("451 try again later", False), ("552 mailbox is full for good", True)]
)
async def test_data_refused_4xx_may_be_tried_again_5xx_may_not(answer: str, permanent: bool) -> None:
    box = MailBox()
    box.at_data.append(answer)
    async with smtp_server(box) as port:
        error = await refusal(smtp(port))
        assert (str(error), error.permanent, error.unreachable) == (answer, permanent, False)
        await smtp(port).send(MAIL)
    assert len(box.received) == 1


@pytest.mark.parametrize(("answer", "permanent"), [("450 greylisted", False), ("550 no such user", True)])
async def test_recipient_refused_4xx_may_be_tried_again_5xx_may_not(answer: str, permanent: bool) -> None:
    box = MailBox()
    box.at_rcpt.append(answer)
    async with smtp_server(box) as port:
        error = await refusal(smtp(port))
    assert (str(error), error.permanent, error.unreachable) == (answer, permanent, False)


async def test_connection_refused_then_up_again_passes() -> None:
    box, bound = MailBox(), bound_socket()
    provider = smtp(bound.getsockname()[1])
    error = await refusal(provider)
    assert (error.permanent, error.unreachable) == (False, True)
    async with smtp_server(box, bound=bound):
        await provider.send(MAIL)
    assert len(box.received) == 1


async def test_silent_server_is_given_up() -> None:
    bound = bound_socket()
    bound.listen()  # the kernel accepts, nobody speaks
    error = await refusal(smtp(bound.getsockname()[1], timeout_s=0.05))
    bound.close()
    assert error.unreachable


async def test_starttls_offered_is_used_and_checked() -> None:
    box = MailBox()
    async with smtp_server(box, tls_context=server_tls()) as port:
        await smtp(port, tls_context=client_tls()).send(MAIL)
        error = await refusal(smtp(port))  # the system does not know this certificate
    assert box.encrypted == [True]
    assert error.unreachable


async def test_starttls_required_but_not_offered_sends_nothing() -> None:
    box = MailBox()
    async with smtp_server(box) as port:
        url = f"smtp://127.0.0.1:{port}?starttls=required"
        error = await refusal(SmtpMail.from_url(url, mail_from=FROM))
    assert error.unreachable
    assert box.received == []


async def test_smtps_is_encrypted_from_the_first_byte() -> None:
    box = MailBox()
    async with smtp_server(box, implicit_tls=server_tls()) as port:
        url = f"smtps://localhost:{port}"
        await SmtpMail.from_url(url, mail_from=FROM, tls_context=client_tls()).send(MAIL)
    assert len(box.received) == 1


@pytest.mark.parametrize(
    "recipient", ["x@example.org\r\nBcc: all@example.org", "x@example.org\r\nRCPT TO:<all@example.org>"]
)
async def test_recipient_with_a_line_break_reaches_nobody(recipient: str) -> None:
    box = MailBox()
    hostile = Mail(
        reference="1",
        recipient=recipient,
        sender_name="S",
        words=Words(subject="s", text="t\n"),
        language="fr",
        at=NOW,
    )
    async with smtp_server(box) as port:
        error = await refusal(smtp(port), hostile)
    assert error.permanent
    assert box.received == []


async def test_no_mail_server_configured_keeps_the_mail() -> None:
    assert await KeptMail().send(MAIL) == Receipt(reference="7-mail-1795248000000", kept=True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 25, False, None)),
        ("smtp://mail.example:587?starttls=required", ("mail.example", 587, False, True)),
        ("smtp://town:pw@mail.example:587", ("mail.example", 587, False, True)),
        ("smtp://town:pw@localhost", ("localhost", 25, False, None)),
        ("smtp://town:pw@mail.example?starttls=never", ("mail.example", 25, False, False)),
        ("smtps://mail.example", ("mail.example", 465, True, False)),
    ],
)
def test_url_password_never_travels_in_clear_unless_told(url: str, expected: tuple[object, ...]) -> None:
    found = SmtpMail.from_url(url, mail_from=FROM)
    assert (found.host, found.port, found.implicit_tls, found.start_tls) == expected


@pytest.mark.parametrize(
    ("url", "sender", "path"),
    [
        ("http://mail.example", FROM, "smtp_url"),
        ("smtp://", FROM, "smtp_url"),
        ("smtp://u:secret@mail.example:port", FROM, "smtp_url"),
        ("smtp://mail.example?starttls=perhaps", FROM, "smtp_url"),
        ("smtp://mail.example", "nobody", "mail_from"),
        ("smtp://mail.example", "a@b\nBcc: c@d", "mail_from"),
    ],
)
def test_url_wrong_names_the_setting_and_no_password(url: str, sender: str, path: str) -> None:
    with pytest.raises(FieldError) as caught:
        SmtpMail.from_url(url, mail_from=sender)
    assert caught.value.path == path
    assert "secret" not in str(caught.value)
