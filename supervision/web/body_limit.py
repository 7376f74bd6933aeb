"""No request body above a limit; whoever reads one gets the error, and answers it in his own way."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: reading a body that is, or says it is, too large raises HTTPException 413.

    Starlette's own middleware answers in plain text, over the head of the API and of the portal's pages.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        """`larger` gives paths that begin so a limit of their own."""
        self._app = app
        self._max_bytes = max_bytes
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        seen = int(announced) if announced.isascii() and announced.isdigit() and len(announced) < 19 else 0  # noqa: PLR2004 - digits of 64 bits
        counted, most = 0, self._most(scope["path"])

        async def receive_counting() -> Message:
            nonlocal counted
            if seen > most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, receive_counting, send)

    def _most(self, path: str) -> int:
        return next(
            (limit for start, limit in self._larger.items() if path.startswith(start)), self._max_bytes
        )
