"""A stand-in for an SMS gateway: the same interface over HTTP, kept messages instead of telephones.

``POST /sms`` takes what the real one takes. ``GET /sms`` lists what was accepted. ``POST /failures
{"status": 503, "times": 2}`` makes the next calls fail. Used by tests and by the demo, never for people.
"""

from __future__ import annotations

import hmac
import json
from collections import deque
from dataclasses import asdict, dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEPT = 1000  # older messages are forgotten


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """An SMS the gateway has taken."""

    id: str
    to: str
    text: str
    reference: str


class SmsTwin:
    """The gateway's state and its ASGI application `app`."""

    def __init__(self, *, token: str) -> None:
        self._token = token
        self._failures: deque[int] = deque()
        self._by_key: dict[str, Accepted] = {}
        self.calls = 0
        self.app = Starlette(
            routes=[
                Route("/sms", self._send, methods=["POST"]),
                Route("/sms", self._list, methods=["GET"]),
                Route("/failures", self._fail, methods=["POST"]),
            ]
        )

    @property
    def accepted(self) -> list[Accepted]:
        """Every SMS taken, oldest first; a repeat of one is not among them."""
        return list(self._by_key.values())

    def fail_next(self, status: int, *, times: int = 1) -> None:
        """Answer the next calls with `status`."""
        self._failures.extend([status] * times)

    async def _send(self, request: Request) -> Response:
        self.calls += 1
        if self._failures:
            return JSONResponse({"error": "as asked"}, status_code=self._failures.popleft())
        if not self._is_allowed(request):
            return JSONResponse({"error": "token"}, status_code=401)
        body = await _object_in(request)
        to, text = body.get("to"), body.get("text")
        if not isinstance(to, str) or not to.startswith("+") or not isinstance(text, str) or not text:
            return JSONResponse({"error": "to, text"}, status_code=422)
        taken = self._take(to, text, str(body.get("reference", "")), request.headers.get("idempotency-key"))
        return JSONResponse({"id": taken.id}, status_code=202)

    def _take(self, to: str, text: str, reference: str, key: str | None) -> Accepted:
        key = key or f"call-{self.calls}"
        if key not in self._by_key:
            taken = Accepted(id=f"sms-{self.calls}", to=to, text=text, reference=reference)
            self._by_key[key] = taken
            if len(self._by_key) > KEPT:
                del self._by_key[next(iter(self._by_key))]
        return self._by_key[key]

    async def _list(self, request: Request) -> Response:
        if not self._is_allowed(request):
            return JSONResponse({"error": "token"}, status_code=401)
        return JSONResponse({"items": [asdict(sms) for sms in self.accepted]})

    async def _fail(self, request: Request) -> Response:
        if not self._is_allowed(request):
            return JSONResponse({"error": "token"}, status_code=401)
        body = await _object_in(request)
        status, times = body.get("status"), body.get("times", 1)
        if not isinstance(status, int) or not 400 <= status <= 599 or not isinstance(times, int):  # noqa: PLR2004
            return JSONResponse({"error": "status, times"}, status_code=422)
        self.fail_next(status, times=times)
        return Response(status_code=204)

    def _is_allowed(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode())


async def _object_in(request: Request) -> dict[str, object]:
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}
