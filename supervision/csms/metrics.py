"""Counters and gauges of the central system for Prometheus."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge

CONNECTED = Gauge("ocpp_connected_stations", "Charging stations with an open websocket")
HANDSHAKES = Counter("ocpp_handshakes_total", "Websocket handshakes by outcome", ["outcome"])
FRAMES = Counter("ocpp_frames_total", "Frames by direction and version", ["direction", "version"])
CALLS = Counter("ocpp_calls_total", "CALLs of stations by action and outcome", ["action", "outcome"])
VIOLATIONS = Counter("ocpp_violations_total", "Departures from the schemas that were tolerated", ["kind"])
MALFORMED = Counter("ocpp_malformed_frames_total", "Frames that could not be read", ["code"])
UNSOLICITED = Counter("ocpp_unsolicited_answers_total", "Answers nobody waited for")
COMMANDS = Counter("ocpp_commands_total", "Commands sent to stations by state", ["action", "state"])
RELAYED = Counter("ocpp_relayed_messages_total", "What became of messages to second backends", ["outcome"])
TLS_ENDS = Gauge("ocpp_tls_certificate_end_seconds", "When a server certificate ends", ["file"])


@cache  # looking a label up costs more than counting, and every frame is counted
def frames(direction: str, version: str) -> Counter:
    """Return the counter of frames in one direction ("in" or "out")."""
    return FRAMES.labels(direction, version)


@cache
def answered(action: str) -> Counter:
    """Return the counter of answered CALLs of an action we know."""
    return CALLS.labels(action, "answered")
