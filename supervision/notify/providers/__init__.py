"""How messages leave: one directory a channel, each with its transport and its double."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from supervision.notify.providers.mail import MailProvider
from supervision.notify.providers.mail.kept import KeptMail
from supervision.notify.providers.mail.smtp import SmtpMail
from supervision.notify.providers.sms import SmsProvider
from supervision.notify.providers.sms.gateway import SmsGateway

__all__ = ["Providers", "open_providers"]


@dataclass(frozen=True, kw_only=True)
class Providers:
    """The configured ways out; without an SMS gateway there are no SMS."""

    mail: MailProvider
    sms: SmsProvider | None


@asynccontextmanager
async def open_providers(
    *, smtp_url: str, mail_from: str, sms_url: str, sms_token: str
) -> AsyncIterator[Providers]:
    """Open what the settings name; FieldError names the setting that is wrong."""
    mail: MailProvider = SmtpMail.from_url(smtp_url, mail_from=mail_from) if smtp_url else KeptMail()
    if not sms_url:
        yield Providers(mail=mail, sms=None)
        return
    async with SmsGateway.open(sms_url, token=sms_token) as sms:
        yield Providers(mail=mail, sms=sms)
