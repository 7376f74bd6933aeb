"""One table of settings: name, default, help. Command line beats environment beats file beats default."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from supervision.kernel.errors import FieldError

T = TypeVar("T")


def _option(default: T, text: str) -> T:
    """Declare one setting: its default and its help line, kept together as the operator reads them."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, typed; `describe()` lists them for help pages and documentation."""

    database: str = _option("", "sqlite:///PATH or postgresql://...; default: a file in the data directory")
    data: str = _option("var", "directory for the database file, the secret key and documents")
    http: str = _option("127.0.0.1:8080", "address of the web site and of the API; port 0: any free port")
    ocpp: str = _option("127.0.0.1:9000", "address where charging stations connect; port 0: any free port")
    ocpp_tls: str = _option("", "address where charging stations connect with TLS; empty: nowhere")
    ocpp_tls_ecdsa: str = _option("", "ECDSA certificate for that address: CHAIN.pem or CHAIN.pem,KEY.pem")
    ocpp_tls_rsa: str = _option("", "RSA certificate for that address: CHAIN.pem or CHAIN.pem,KEY.pem")
    ocpp_tls_url: str = _option("", "wss://HOST[:PORT]/ocpp told to 2.0.1 stations that are to use TLS")
    station_ca: str = _option(
        "",
        "PEM file with key and certificate that sign stations' certificates; default: in the data directory",
    )
    station_ca_bundle: str = _option(
        "", "PEM file of further CAs that may have signed stations' certificates"
    )
    station_organisation: str = _option("", "organisation (O) in the certificates of stations; empty: any")
    single_port: bool = _option(default=False, text="serve charging stations on the web address, under /ocpp")
    public_url: str = _option("", "address people reach the site at, for links in mails")
    files_url: str = _option("", "address charging stations fetch and leave files at; default: public_url")
    log_level: str = _option("INFO", "DEBUG, INFO, WARNING or ERROR; logs are JSON lines on stderr")
    smtp_url: str = _option("", "smtp[s]://[user:password@]host[:port]; empty: mails are kept, not sent")
    mail_from: str = _option("autopartage@localhost", "sender of the mails")
    sms_url: str = _option("", "HTTP gateway that takes a JSON POST {to, text}; empty: no SMS")
    sms_token: str = _option("", "bearer token for the SMS gateway")
    trusted_proxy: str = _option("", "address of the reverse proxy whose X-Forwarded-* headers are believed")
    boot_interval_s: int = _option(300, "heartbeat interval told to charging stations, seconds")
    frame_retention_days: int = _option(90, "days raw frames, notices, reports and uploaded logs are kept")
    relay_hosts: str = _option(
        "", "HOST or HOST:PORT, comma between: where second backends may be; empty: there are none"
    )
    relay_answer_s: int = _option(5, "seconds a charging station waits for the second backend that owns it")
    session_hours: int = _option(12, "hours after which a browser login ends")

    @property
    def data_dir(self) -> Path:
        """Return the data directory as a path."""
        return Path(self.data)

    @property
    def station_ca_path(self) -> Path:
        """Where the certificate authority for stations keeps its key."""
        return Path(self.station_ca) if self.station_ca else self.data_dir / "station-ca.pem"

    @property
    def database_url(self) -> str:
        """The configured database, or the SQLite file in the data directory."""
        return self.database or f"sqlite:///{self.data_dir / 'supervision.db'}"


def load(
    *, config: Path | None = None, environ: Mapping[str, str] | None = None, **overrides: object
) -> Settings:
    """Read the settings; FieldError names the setting that is wrong.

    `overrides` come from the command line, None meaning "not given".
    """
    given: dict[str, object] = {}
    if config is not None:
        given.update(_checked_names(_read_toml(config), str(config)))
    for name, text in (os.environ if environ is None else environ).items():
        if name.startswith("SUPERVISION_") and name[12:].lower() in _TYPES:
            given[name[12:].lower()] = text
    given.update({name: value for name, value in overrides.items() if value is not None})
    return replace(Settings(), **{name: _cast(name, value) for name, value in given.items()})


def _read_toml(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FieldError(str(config), f"not TOML: {error}") from None


_TYPES: dict[str, type] = {field.name: type(field.default) for field in fields(Settings)}


def _checked_names(document: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    for name in document:
        if name not in _TYPES:
            raise FieldError(f"{where}: {name}", "unknown setting")
    return document


def _cast(name: str, value: object) -> Any:
    kind = _TYPES[name]
    if isinstance(value, kind):
        return value
    if kind is bool and str(value).lower() in {"1", "true", "yes", "0", "false", "no"}:
        return str(value).lower() in {"1", "true", "yes"}
    if kind is int:
        try:
            return int(str(value))
        except ValueError:
            raise FieldError(name, f"expected a whole number, got {value!r}") from None
    if kind is str:
        return str(value)
    raise FieldError(name, f"expected {kind.__name__}, got {value!r}")


def describe() -> list[tuple[str, object, str]]:
    """Return (name, default, help) of every setting."""
    return [(option.name, option.default, option.metadata["help"]) for option in fields(Settings)]


def host_port(name: str, address: str) -> tuple[str, int]:
    """Split HOST:PORT (IPv6 in brackets); FieldError names the setting."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - highest TCP port
        raise FieldError(name, f"expected HOST:PORT, got {address!r}")
    return host.strip("[]") or "127.0.0.1", int(port)
