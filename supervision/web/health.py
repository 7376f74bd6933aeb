"""For machines: is the process alive, is it ready, how is it doing."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from supervision.store.db import Database, across_tenants


def health_routes(db: Database, listening: Callable[[], dict[str, bool]]) -> list[Route]:
    """Return /healthz, /readyz and /metrics; `listening` names the parts and tells whether each is up."""

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_request: Request) -> Response:
        parts = {"database": await _answers(db), **listening()}
        good = all(parts.values())
        return JSONResponse({"status": "ready" if good else "not ready", **parts}, 200 if good else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]


async def _answers(db: Database) -> bool:
    try:
        async with db.read(across_tenants("no table is read")) as reader:
            return bool(await reader.scalar(text("SELECT 1")) == 1)
    except Exception:
        return False
