"""Authorize of OCPP 2.0.1: what a badge may."""

from __future__ import annotations

from supervision.csms import v201
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.model import IdTokenStatus
from supervision.store.db import Tx

_NO_AUTHORIZATION = "NoAuthorization"


async def _authorize(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    token, token_type = v201.token(incoming.payload)
    if token is None and token_type == _NO_AUTHORIZATION:
        return {"idTokenInfo": {"status": IdTokenStatus.ACCEPTED.value}}
    decision = await common.authorise_shown(services, incoming, tx, token or "", token_type)
    return {"idTokenInfo": v201.id_token_info(decision)}


HANDLER = Handler(unit=_authorize)
