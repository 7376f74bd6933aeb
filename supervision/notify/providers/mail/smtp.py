"""Mail by SMTP (RFC 5321), one connection a mail.

``smtp://[user:password@]host[:port][?starttls=auto|required|never]`` or ``smtps://...`` (TLS from the
first byte). A password never travels in clear over a network: with a user and a host that is not this
machine, STARTTLS is required unless the URL says otherwise.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from supervision.kernel.errors import FieldError
from supervision.notify.model import DeliveryError, Mail, Receipt

TIMEOUT_S = 20.0  # for each step: connecting, each command
_SETTING = "smtp_url"
_PORTS = {"smtp": 25, "smtps": 465}
_STARTTLS = {"auto": None, "required": True, "never": False}
_HERE = {"localhost", "127.0.0.1", "::1"}
_PERMANENT = 500  # RFC 5321 §4.2.1: 5yz must not be repeated as it is


@dataclass(frozen=True, kw_only=True)
class SmtpMail:
    """A mail server and how to talk to it; `start_tls` None means: when the server offers it."""

    host: str
    port: int
    mail_from: str
    user: str | None = None
    password: str | None = None
    implicit_tls: bool = False
    start_tls: bool | None = None
    timeout_s: float = TIMEOUT_S
    tls_context: ssl.SSLContext | None = None  # None: the system's certificates, checked

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        mail_from: str,
        tls_context: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> SmtpMail:
        """Read the URL; FieldError says what is wrong with it, without repeating a password."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise FieldError(_SETTING, "smtp://[user:password@]host[:port] or smtps://... is wanted")
        _checked_address(mail_from)
        return cls(
            host=parts.hostname,
            port=_port(parts.netloc) or _PORTS[parts.scheme],
            mail_from=mail_from,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password or "") if parts.username else None,
            implicit_tls=parts.scheme == "smtps",
            start_tls=False
            if parts.scheme == "smtps"
            else _starttls(parts.query, parts.hostname, parts.username),
            tls_context=tls_context,
            timeout_s=timeout_s,
        )

    async def send(self, mail: Mail) -> Receipt:
        """Hand the mail to the server; DeliveryError says whether trying again can help."""
        try:
            letter = self.letter(mail)
            await aiosmtplib.send(
                letter,
                sender=self.mail_from,
                recipients=[mail.recipient],
                hostname=self.host,
                port=self.port,
                username=self.user,
                password=self.password,
                use_tls=self.implicit_tls,
                start_tls=self.start_tls,
                tls_context=self.tls_context,
                timeout=self.timeout_s,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _delivery_error(error) from error
        return Receipt(reference=str(letter["Message-ID"]))

    def letter(self, mail: Mail) -> EmailMessage:
        """Write the mail as RFC 5322 wants it; headers refuse line breaks by themselves."""
        letter = EmailMessage()
        sender = Address(display_name=mail.sender_name, addr_spec=self.mail_from)
        letter["From"] = sender
        letter["To"] = mail.recipient
        letter["Subject"] = mail.words.subject
        letter["Date"] = format_datetime(mail.at)
        # The same at every attempt: a mail that was accepted just before a crash is recognised as a repeat.
        letter["Message-ID"] = f"<{mail.reference}@{sender.domain}>"
        letter["Content-Language"] = mail.language
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: absence notes stay away
        letter.set_content(mail.words.text, cte="quoted-printable")
        if mail.words.html:
            letter.add_alternative(mail.words.html, subtype="html", cte="quoted-printable")
        return letter


def _delivery_error(error: Exception) -> DeliveryError:
    detail = f"{type(error).__name__}: {error}"
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            refused = error.recipients
            permanent = bool(refused) and all(one.code >= _PERMANENT for one in refused)
            return DeliveryError(
                "; ".join(f"{one.code} {one.message}" for one in refused), permanent=permanent
            )
        case (
            aiosmtplib.SMTPAuthenticationError() | aiosmtplib.SMTPSenderRefused() | aiosmtplib.SMTPHeloError()
        ):
            return DeliveryError(detail, unreachable=True)  # our own settings: no mail is to blame
        case aiosmtplib.SMTPConnectResponseError():
            return DeliveryError(detail, unreachable=True)
        case aiosmtplib.SMTPResponseException():
            return DeliveryError(f"{error.code} {error.message}", permanent=error.code >= _PERMANENT)
        case aiosmtplib.SMTPNotSupported():
            return DeliveryError(detail, permanent=True)  # an address beyond ASCII, RFC 6531 not spoken
        case aiosmtplib.SMTPException() | OSError():
            return DeliveryError(detail, unreachable=True)  # no connection, no TLS, silence
        case _:
            return DeliveryError(detail, permanent=True)  # ValueError: a line break in an address


def _port(netloc: str) -> int | None:
    try:
        return urlsplit(f"//{netloc}").port
    except ValueError:
        raise FieldError(_SETTING, "the port is not a number") from None


def _starttls(query: str, host: str, user: str | None) -> bool | None:
    wanted = parse_qs(query).get("starttls", [""])[0]
    if not wanted:
        return True if user and host not in _HERE else None
    if wanted not in _STARTTLS:
        raise FieldError(_SETTING, "starttls is auto, required or never")
    return _STARTTLS[wanted]


def _checked_address(mail_from: str) -> None:
    try:
        Address(addr_spec=mail_from)
    except Exception:
        raise FieldError("mail_from", "a mail address is wanted") from None
