"""Authorize of OCPP 1.6: what a badge may."""

from __future__ import annotations

from supervision.csms import v16
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _authorize(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    token = v16.id_tag(incoming.payload) or ""
    return {"idTagInfo": v16.id_tag_info(await common.authorise_shown(services, incoming, tx, token, None))}


HANDLER = Handler(unit=_authorize)
