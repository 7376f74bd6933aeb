"""JSON lines on stderr: an event with keys, never prose with secrets in it."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import TextIO

_SECRET_KEY = re.compile(
    r"passw|secret|token|authori[sz]ation|cookie|^key$|api_?key"
    r"|(?<!error)(?<!error_)(?<!status_)(?<!close_)(?<!exit_)code$",  # access codes, not how something ended
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=_\-.~]+|(://[^:/@\s]+:)[^@\s]+@")
_MAX_TEXT = 500
_MAX_TRACE = 8000  # the end of a traceback says what broke


def redact(value: object, key: str = "") -> object:
    """Return the value fit for a log: secrets by name or by shape are masked, long text is cut."""
    if _SECRET_KEY.search(key) and value not in (None, ""):
        return "***"
    if isinstance(value, dict):
        return {str(k): redact(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, key) for item in value]
    if isinstance(value, str):
        masked = mask(value)
        return masked if len(masked) <= _MAX_TEXT else masked[:_MAX_TEXT] + "…"
    return value


def mask(text: str) -> str:
    """Return the text without credentials that are recognisable by their shape."""
    return _SECRET_TEXT.sub(lambda m: f"{m[2]}***@" if m[2] else f"{m[1]} ***", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a record: at, level, logger, event, and the keys of `extra={"keys": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, object] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "event": redact(record.getMessage()),
        }
        keys = getattr(record, "keys", None)
        if isinstance(keys, dict):
            line.update({str(k): redact(v, str(k)) for k, v in keys.items()})
        if record.exc_info:
            line["exception"] = mask(self.formatException(record.exc_info)[-_MAX_TRACE:])
        return json.dumps(line, ensure_ascii=False, default=str)


class Log:
    """A logger that takes an event name and keys: ``log.info("station.connected", station="EURRE-1")``."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **keys: object) -> None:
        """Log a detail."""
        self._logger.debug(event, extra={"keys": keys})

    def info(self, event: str, **keys: object) -> None:
        """Log a fact worth one line."""
        self._logger.info(event, extra={"keys": keys})

    def warning(self, event: str, **keys: object) -> None:
        """Log something an operator should look at."""
        self._logger.warning(event, extra={"keys": keys})

    def error(self, event: str, *, exc_info: BaseException | None = None, **keys: object) -> None:
        """Log a failure, with its exception when there is one."""
        self._logger.error(event, exc_info=exc_info, extra={"keys": keys})


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every record of the process to `stream` (stderr) as JSON lines; replaces earlier handlers."""
    handler = logging.StreamHandler(stream or sys.stderr)
    formatter = JsonFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The libraries' own lines repeat ours, and at INFO the web server would log every poll.
    for name in (
        "websockets.client",
        "websockets.server",
        "uvicorn.access",
        "uvicorn.error",
        "apscheduler",
        "aiosqlite",
        "sqlalchemy",
        "alembic",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
