from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from supervision.log import Log, configure, redact


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return what the process logs, and leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("INFO", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """Return the log as objects."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_is_one_json_object_with_its_keys(stream: io.StringIO) -> None:
    Log("supervision.x").info("station.connected", station="EURRE-1", ocpp="1.6")
    (line,) = lines(stream)
    at = str(line.pop("at"))
    assert line == {
        "level": "INFO",
        "logger": "supervision.x",
        "event": "station.connected",
        "station": "EURRE-1",
        "ocpp": "1.6",
    }
    assert (at[10], at[-1], len(at)) == ("T", "Z", 24)


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "passwd",
        "client_secret",
        "api_token",
        "id_token",
        "Authorization",
        "cookie",
        "access_code",
        "key",
    ],
)
def test_secret_is_masked_by_its_name(key: str) -> None:
    assert redact({key: "hunter2"}) == {key: "***"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Basic Q1AxOnNlY3JldA==", "Authorization: Basic ***"),
        ("bearer abc.def-ghi", "bearer ***"),
        ("postgresql://app:hunter2@db/x", "postgresql://app:***@db/x"),
        ("smtp://me:p%40ss@mail.example.org:587 refused", "smtp://me:***@mail.example.org:587 refused"),
        ("ws://127.0.0.1:9000/ocpp/CP1", "ws://127.0.0.1:9000/ocpp/CP1"),
        ("nothing secret", "nothing secret"),
    ],
)
def test_secret_is_masked_by_its_shape(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_secret_deep_inside_is_masked() -> None:
    given = {"request": [{"headers": {"authorization": "x"}, "body": {"password": "y", "name": "n"}}]}
    assert redact(given) == {
        "request": [{"headers": {"authorization": "***"}, "body": {"password": "***", "name": "n"}}]
    }


def test_empty_secret_shows_that_it_is_empty() -> None:
    assert redact({"password": "", "token": None}) == {"password": "", "token": None}


def test_status_codes_and_counts_are_no_secrets() -> None:
    shown = {"error_code": "NoError", "vendorErrorCode": "12", "close_code": 1001, "status": 401}
    assert redact(shown) == shown


def test_long_text_is_cut() -> None:
    assert redact("x" * 600) == "x" * 500 + "…"


def test_exception_is_logged_without_its_secret(stream: io.StringIO) -> None:
    Log("x").error("store.down", exc_info=ConnectionError("cannot reach postgresql://app:hunter2@db/x"))
    assert "hunter2" not in stream.getvalue()
    assert "ConnectionError" in str(lines(stream)[0]["exception"])


def test_what_is_no_json_is_written_as_text(stream: io.StringIO) -> None:
    Log("x").warning(
        "odd",
        value={
            1,
        },
        path=object,
    )
    assert lines(stream)[0]["level"] == "WARNING"


def test_debug_is_silent_at_info(stream: io.StringIO) -> None:
    Log("x").debug("detail")
    assert lines(stream) == []


def test_libraries_do_not_repeat_us(stream: io.StringIO) -> None:
    logging.getLogger("websockets.server").info("connection open")
    logging.getLogger("uvicorn.access").info("GET /")
    assert lines(stream) == []


def test_newline_cannot_forge_a_line(stream: io.StringIO) -> None:
    Log("x").info("frame.refused", frame='[2,"\n{"level":"ERROR"}"]')
    assert len(lines(stream)) == 1
