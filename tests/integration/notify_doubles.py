"""A real SMTP server and a real HTTP server on free ports, in the loop of the test."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.types import ASGIApp

from supervision.app import WebServer

# Made for these tests and worth nothing elsewhere: a certificate for localhost with its key.
CERTIFICATE = Path(__file__).with_name("localhost_test_only.pem")


class MailBox:
    """Keeps accepted mails; answers the next RCPT or DATA with what stands in `at_rcpt`, `at_data`."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.at_rcpt: deque[str] = deque()
        self.at_data: deque[str] = deque()
        self.logins: list[tuple[str, str]] = []
        self.encrypted: list[bool] = []

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.at_rcpt:
            return self.at_rcpt.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.at_data:
            return self.at_data.popleft()
        content = envelope.content
        assert isinstance(content, bytes)
        letter = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.received.append(letter)
        self.recipients.extend(envelope.rcpt_tos)
        self.encrypted.append(session.ssl is not None)
        return "250 accepted"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        login = (data.login.decode(), data.password.decode())
        self.logins.append(login)
        return AuthResult(success=login == ("town", "p@ss:word"), handled=False)


def bound_socket() -> socket.socket:
    """Return a socket on a free port; nobody is let in before it listens."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.setblocking(False)
    return bound


def server_tls() -> ssl.SSLContext:
    """Return the server's side of TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_tls() -> ssl.SSLContext:
    """Return the side of a client that trusts the test certificate."""
    return ssl.create_default_context(cafile=str(CERTIFICATE))


@asynccontextmanager
async def smtp_server(
    box: MailBox,
    *,
    bound: socket.socket | None = None,
    implicit_tls: ssl.SSLContext | None = None,
    **options: Any,
) -> AsyncIterator[int]:
    """Serve `box` and return the port."""
    place = bound or bound_socket()
    options.setdefault("auth_require_tls", False)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, authenticator=box.authenticate, hostname="mail.test", **options),
        sock=place,
        ssl=implicit_tls,
    )
    try:
        yield place.getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def http_server(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an ASGI application and return its address."""
    bound = bound_socket()
    server = WebServer(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[bound]))
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
