"""`supervision replay`: play a recorded journal to a central system as a test station of it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import websockets
from websockets.asyncio.client import ClientConnection, connect

from supervision.csms.frame import Version
from supervision.csms.replay import CALL, Ids, Said, difference
from supervision.kernel.errors import FieldError

ANSWER_WITHIN_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One CALL said again; `difference` is None when the answer was the recorded one."""

    action: str
    difference: str | None


async def replay(
    recording: Sequence[Said], *, url: str, identity: str, version: Version, password: str | None
) -> AsyncIterator[Replayed]:
    """Say every recorded CALL, one after another; FieldError when the central system does not let us in.

    CALLs of the central system are answered with NotSupported: a recording has no will of its own.
    """
    try:
        async with connect(
            f"{url.rstrip('/')}/{quote(identity)}",
            subprotocols=[websockets.Subprotocol(version.value)],
            additional_headers=_authorization(identity, password),
        ) as socket:
            ids = Ids()
            for number, said in enumerate(recording):
                answered = await _exchange(socket, f"r{number}", said, ids)
                ids.learn(said.answer, answered)
                yield Replayed(action=said.action, difference=difference(said, answered))
    except (OSError, websockets.InvalidHandshake, websockets.InvalidURI) as error:
        raise FieldError("url", f"no connection: {error}") from error
    except websockets.ConnectionClosed as error:
        raise FieldError("url", f"the central system closed the connection: {error}") from error
    except TimeoutError:
        raise FieldError("url", f"no answer within {ANSWER_WITHIN_S} s") from None


def _authorization(identity: str, password: str | None) -> dict[str, str]:
    if password is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{identity}:{password}".encode()).decode()}


async def _exchange(socket: ClientConnection, message_id: str, said: Said, ids: Ids) -> list[Any]:
    await socket.send(json.dumps([CALL, message_id, said.action, ids.put_into(said.payload)]))
    async with asyncio.timeout(ANSWER_WITHIN_S):
        while True:
            frame = json.loads(await socket.recv())
            if frame[0] == CALL:
                await socket.send(json.dumps([4, frame[1], "NotSupported", "a recording is played", {}]))
            elif frame[1] == message_id:
                answered: list[Any] = frame
                return answered
