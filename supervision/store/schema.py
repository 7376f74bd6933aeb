"""Every table of the service, once; SQLite and PostgreSQL share it.

Instants are milliseconds since 1970 (UTC), money is cents, energy Wh, power W. A table with an
`organisation_id` column belongs to tenants: a statement on it that does not compare that column is
refused (see `store.guard`).
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect

from supervision.kernel.timespan import from_millis, to_millis

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant stored as milliseconds; a naive datetime is refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Write the instant."""
        return None if value is None else to_millis(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read the instant."""
        return None if value is None else from_millis(value)


class LocalDate(TypeDecorator[date]):
    """A calendar day as ISO text: readable in any tool, ordered as text."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write the day."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:  # noqa: ARG002
        """Read the day."""
        return None if value is None else date.fromisoformat(value)


# SQLite gives out ids again after a delete unless AUTOINCREMENT is asked for; PostgreSQL has identities.
BigId = BigInteger().with_variant(Integer, "sqlite")


def _tenant() -> Column[str]:
    return Column("organisation_id", String, ForeignKey("organisations.id"), nullable=False)


# --- accounts ---------------------------------------------------------------------------------------

organisations = Table(
    "organisations",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("legal", JSON, nullable=False, default=dict),  # address, siren, vat_id, vat_rate, legal notes
    Column("master_pass_group", String),  # its badges stop any charge and start none (OCPP 2.0.1 C16)
    Column("created_at", Instant, nullable=False),
)

communities = Table(
    "communities",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("name", String, nullable=False),
    Column("zone", String, nullable=False, default="Europe/Paris"),
    Column("support_phone", String),
    Column("rules", JSON, nullable=False, default=dict),  # accounts.model.CommunityRules, only what differs
    Index(None, "organisation_id"),
)

rule_changes = Table(
    "rule_changes",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("community_id", String, ForeignKey("communities.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("by_person_id", String),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    sqlite_autoincrement=True,
)

people = Table(
    "people",
    metadata,
    Column("id", String, primary_key=True),
    Column("email", String, nullable=False, unique=True),  # lower case
    Column("name", String, nullable=False),
    Column("phone", String),
    Column("locale", String, nullable=False, default="fr"),
    Column("password_hash", String),
    Column("licence_number", String),
    Column("licence_category", String),
    Column("licence_valid_until", LocalDate),
    Column("disabled_at", Instant),
    Column("created_at", Instant, nullable=False),
)

roles = Table(
    "roles",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("person_id", String, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("role", String, nullable=False),
    Column("community_id", String, ForeignKey("communities.id")),  # None: the whole organisation
    UniqueConstraint("person_id", "role", "organisation_id", "community_id"),
    Index(None, "organisation_id"),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("person_id", String, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("csrf", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("data", JSON, nullable=False, default=dict),
    Index(None, "person_id"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("person_id", String, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("scope", String, nullable=False),  # admin | manager | driver
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),  # "email:..." hash or "address:..."
    Column("at", Instant, nullable=False),
    Index(None, "source", "at"),
    sqlite_autoincrement=True,
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("at", Instant, nullable=False),
    Column("person_id", String),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("details", JSON, nullable=False, default=dict),
    Index(None, "organisation_id", "at"),
    sqlite_autoincrement=True,
)

# --- fleet ------------------------------------------------------------------------------------------

stations = Table(
    "stations",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("community_id", String, ForeignKey("communities.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("lat", Float),
    Column("lon", Float),
    Column("grid_limit_a", JSON, nullable=False),  # [L1, L2, L3] amperes
    Column("grid_voltage_v", Integer, nullable=False, default=230),
    Column("electricity_prices", JSON, nullable=False, default=list),  # charging.model price data
    Index(None, "organisation_id"),
)

vehicles = Table(
    "vehicles",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("station_id", String, ForeignKey("stations.id"), nullable=False),
    Column("charging_station", String),  # the EVSE of its home bay
    Column("evse_id", Integer),
    Column("name", String, nullable=False),
    Column("plate", String, nullable=False),
    Column("model", String, nullable=False),
    Column("battery_wh", Integer, nullable=False),
    Column("phases", Integer, nullable=False),
    Column("max_a", Float, nullable=False),
    Column("min_a", Float, nullable=False),
    Column("wh_per_km", Integer, nullable=False),
    Column("efficiency", Float, nullable=False, default=0.9),
    Column("tariff_id", String),
    Column("key_box_slot", Integer),
    Column("odometer_km", Integer, nullable=False, default=0),
    Column("withdrawn_at", Instant),  # out of service from then on
    Index(None, "organisation_id", "station_id"),
)

# --- csms -------------------------------------------------------------------------------------------

charging_stations = Table(
    "charging_stations",
    metadata,
    Column("identity", String, primary_key=True),
    _tenant(),
    Column("station_id", String, ForeignKey("stations.id"), nullable=False),
    Column("security_profile", Integer, nullable=False, default=1),
    Column("password_salt", LargeBinary),
    Column("password_hash", LargeBinary),
    Column("password_rotated_at", Instant),  # the station took one of ours: the one it came with is over
    # A password on its way: taken beside the old one until the station has used either.
    Column("next_password_salt", LargeBinary),
    Column("next_password_hash", LargeBinary),
    Column("next_password_command", String),  # the CALL that carries it
    Column("next_password_after_reboot", Boolean),  # the station took it and will use it later
    Column("wanted_profile", Integer),  # a higher security profile was ordered and not used yet
    Column("installed_certificates", JSON),  # {at, items: [{kind, hash data}]} as the station told
    Column("ocpp", String),  # "1.6" | "2.0.1", as last negotiated
    Column("boot", JSON),  # vendor, model, serial, firmware, reason; None before the first boot
    Column("booted_at", Instant),
    Column("boot_policy", String),  # csms.holding.BootPolicy; None: accept
    Column("registration", String),  # csms.holding.Registration of the last boot; None before the first
    Column("held_at", Instant),  # since when a boot is answered Pending
    Column("seen_at", Instant),
    Column("connected_at", Instant),
    Column("disconnected_at", Instant),
    Column("clock_offset_ms", BigInteger),
    Column("capabilities", JSON, nullable=False, default=dict),  # what configuration and tries have taught
    Column("violations", JSON, nullable=False, default=dict),  # kind -> count
    Index(None, "organisation_id", "station_id"),
)

# Public halves only: requests, certificates and what became of them. The station keeps its private key.
station_certificates = Table(
    "station_certificates",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, ForeignKey("charging_stations.identity"), nullable=False),
    Column("kind", String),  # 2.0.1 certificateType as asked for; None: not said
    Column("state", String, nullable=False),  # csms.certificates.model.CertificateState
    Column("reason", String),  # code of why it was refused or rejected
    Column("csr", Text, nullable=False),
    Column("csr_digest", String, nullable=False),  # SHA-256 of the text, to know a repetition
    Column("requested_at", Instant, nullable=False),
    Column("chain", Text),  # PEM, leaf first
    Column("serial", String),  # upper-case hex without leading zeros
    Column("fingerprint", String),  # SHA-256 of the leaf's DER, hex
    Column("not_before", Instant),
    Column("not_after", Instant),
    Column("command_id", String),  # the CertificateSigned that carries it
    Column("installed_at", Instant),
    Column("used_at", Instant),  # first connection with it
    Column("revoked_at", Instant),
    Index(None, "organisation_id", "charging_station"),
    Index(None, "fingerprint"),
    sqlite_autoincrement=True,
)

evses = Table(
    "evses",
    metadata,
    Column("charging_station", String, ForeignKey("charging_stations.identity"), primary_key=True),
    Column("evse_id", Integer, primary_key=True),
    _tenant(),
    Column("kind", String, nullable=False),
    Column("phases", JSON, nullable=False),  # [1, 2, 3] or the single phase it hangs on
    Column("max_a", Float, nullable=False),
    Column("min_a", Float, nullable=False),
    Column("status", String, nullable=False, default="Unknown"),  # csms.model.ConnectorStatus
    Column("status_at", Instant),
    Column("error_code", String),
    Column("power_w", Integer),
    Column("power_at", Instant),
    Column("current_a", JSON),  # per phase, as measured
    Column("soc_percent", Float),
    Column("soc_at", Instant),
    Index(None, "organisation_id"),
)

unknown_stations = Table(  # refused handshakes of identities nobody has registered: of no organisation
    "unknown_stations",
    metadata,
    Column("identity", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("offered", JSON, nullable=False),  # sub-protocols of the newest attempt
    Column("sent_password", Boolean, nullable=False),  # whether it sent one; never which
    Index(None, "last_seen_at"),
)

frames = Table(
    "frames",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("direction", String(3), nullable=False),  # in | out
    Column("frame", Text, nullable=False),  # as on the wire, secrets masked
    Column("problem", String),  # why it could not be read or used; None for a sound frame
    Index(None, "charging_station", "id"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

relays = Table(  # a second backend that is told of a charging station's messages too (csms.relay)
    "relays",
    metadata,
    Column("charging_station", String, ForeignKey("charging_stations.identity"), primary_key=True),
    _tenant(),
    Column("url", String, nullable=False),  # without the identity
    Column("identity", String, nullable=False),  # as the second backend knows the station
    Column("password_sealed", LargeBinary),  # csms.relay.sealing; None: dials without one
    Column("owner", String, nullable=False),  # csms.relay.model.Owner
    Column("made_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("after_frame", BigInteger, nullable=False),  # everything up to this frame is dealt with
    Column("tries", Integer, nullable=False),  # how often the message after it was answered by a CALLERROR
    Column("connected_at", Instant),  # None: not connected
    Column("error", String),  # csms.relay.model.Trouble, the newest; it may be over
    Column("error_at", Instant),
    Column("delivered", BigInteger, nullable=False),  # messages it answered
    Column("refused", BigInteger, nullable=False),  # of charges, answered by nothing but CALLERRORs
    Column("lost", BigInteger, nullable=False),  # messages it should have been told and never was
    Column("own_answers", BigInteger, nullable=False),  # times ours stood although its answer was wanted
    Index(None, "organisation_id"),
)

relay_charging_ids = Table(  # how the second backend knows a charging transaction of OCPP 1.6
    "relay_charging_ids",
    metadata,
    Column("charging_station", String, ForeignKey("charging_stations.identity"), primary_key=True),
    Column("ours", BigInteger, primary_key=True),
    _tenant(),
    Column("theirs", BigInteger, nullable=False),
    Index(None, "charging_station", "theirs"),
)

relay_answers = Table(  # what the second backend answered; an empty answer says nothing and is not kept
    "relay_answers",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("frame_id", BigInteger, nullable=False),  # of the message in the journal
    Column("at", Instant, nullable=False),
    Column("answer", Text, nullable=False),  # as on the wire, secrets masked
    Index(None, "charging_station", "id"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

id_tokens = Table(
    "id_tokens",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("token", String, nullable=False),  # as printed on the badge
    Column("token_key", String, nullable=False),  # lower case: OCPP 1.6 compares without case
    Column("type", String, nullable=False),
    Column("status", String, nullable=False),  # Accepted | Blocked | Expired | Invalid
    Column("person_id", String, ForeignKey("people.id")),
    Column("parent", String),
    Column("expires_at", Instant),
    UniqueConstraint("organisation_id", "token_key"),
    sqlite_autoincrement=True,
)

local_lists = Table(  # what is known of the local authorisation list of a station (csms.local_list)
    "local_lists",
    metadata,
    Column("charging_station", String, ForeignKey("charging_stations.identity"), primary_key=True),
    _tenant(),
    Column("state", String, nullable=False),  # csms.local_list.ListState
    Column("known", JSON, nullable=False),  # csms.local_list.Known
    Column("excluded", JSON, nullable=False),  # badges that must not stand on it, lower case
    Column("command_id", String),  # what is on its way; None: nothing
    Column("sent", JSON),  # what it will have changed once it is accepted
    Column("entries", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index(None, "organisation_id"),
)

desired_settings = Table(  # csms.desired.Wish; None in a scope column: any
    "desired_settings",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("ocpp", String, nullable=False),
    Column("name", String, nullable=False),
    Column("value", Text),  # None: leave it as it is
    Column("reason", Text, nullable=False),
    Column("vendor", String),
    Column("model", String),
    Column("firmware", String),  # a prefix
    Column("charging_station", String, ForeignKey("charging_stations.identity")),
    Column("by_person_id", String),
    Column("changed_at", Instant, nullable=False),
    Index(None, "organisation_id", "ocpp", "name"),
    sqlite_autoincrement=True,
)

station_configurations = Table(  # what was found at the last look, and when to look again
    "station_configurations",
    metadata,
    Column("charging_station", String, ForeignKey("charging_stations.identity"), primary_key=True),
    _tenant(),
    Column("state", String, nullable=False),  # csms.desired.ConfigurationState
    Column("items", JSON, nullable=False),  # [csms.desired.Item]
    Column("checked_at", Instant),
    Column("due_at", Instant, nullable=False),
    Column("writes", Boolean, nullable=False),  # whether what differs is to be written then
    Column("failures", Integer, nullable=False),
    Index(None, "organisation_id"),
    Index(None, "due_at"),
)

probes = Table(  # getting to know a charger: one at a time (csms.probe.Progress)
    "probes",
    metadata,
    Column("charging_station", String, ForeignKey("charging_stations.identity"), primary_key=True),
    _tenant(),
    Column("step", String, nullable=False),
    Column("since", Instant, nullable=False),
    Column("asked", Boolean, nullable=False),  # whether the step's command was sent
    Column("command_id", String),
    Column("findings", JSON, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("by_person_id", String),
    Index(None, "organisation_id"),
)

quirk_profiles = Table(  # what probes have found, for a maker's model with its firmware
    "quirk_profiles",
    metadata,
    Column("organisation_id", String, ForeignKey("organisations.id"), primary_key=True),
    Column("vendor", String, primary_key=True),
    Column("model", String, primary_key=True),
    Column("firmware", String, primary_key=True),
    Column("charging_station", String, nullable=False),  # the one that was probed
    Column("findings", JSON, nullable=False),
    Column("learnt_at", Instant, nullable=False),
)

authorisation_attempts = Table(
    "authorisation_attempts",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("evse_id", Integer),
    Column("at", Instant, nullable=False),
    Column("purpose", String),  # show | start | stop; None in rows older than the column
    Column("token_hint", String, nullable=False),  # last characters only
    Column("status", String, nullable=False),
    Column("person_id", String),
    Column("booking_id", String),
    Index(None, "organisation_id", "at"),
    sqlite_autoincrement=True,
)

charging_transactions = Table(
    "charging_transactions",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("evse_id", Integer, nullable=False),
    Column("connector_id", Integer, nullable=False, default=1),
    Column("ocpp", String, nullable=False),
    Column("ocpp_transaction_id", String, nullable=False),  # 1.6: this id as text; 2.0.1: the station's
    Column("natural_key", String, nullable=False),  # what makes a repeated start the same start
    Column("id_token", String),
    Column("person_id", String),
    Column("booking_id", String),
    Column("vehicle_id", String),
    Column("state", String, nullable=False),  # csms.machine states: open | ended
    Column("charging_state", String),
    Column("started_at", Instant, nullable=False),
    Column("started_received_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Column("stopped_received_at", Instant),
    Column("meter_start_wh", BigInteger),
    Column("meter_start_read_at", Instant),  # NULL: the station says it is the one of the start
    Column("meter_stop_wh", BigInteger),
    Column("meter_last_wh", BigInteger),
    Column("measured_wh", BigInteger),  # what the registers say
    Column("energy_wh", BigInteger),  # what counts: the same, or what a person settled
    Column("stop_reason", String),
    Column("presumed", String),  # csms.model.Ground of an end that was not told
    Column("settled", String),  # csms.model.SettledHow
    Column("settled_wh", BigInteger),
    Column("settled_from_wh", BigInteger),  # what the registers said then
    Column("start_told", Boolean, nullable=False, default=False),
    Column("stop_register_told", Boolean, nullable=False, default=False),
    # Ranks of the messages that told a field (csms.machine): order of arrival decides nothing.
    Column("start_rank", BigInteger),
    Column("last_rank", BigInteger),
    Column("token_rank", BigInteger),
    Column("state_rank", BigInteger),
    Column("authorisation", String),  # status answered at the start
    Column("parent", String),  # group of the badge, answered again to a repeated start
    Column("review", String),  # why a person must look before money is taken
    UniqueConstraint("charging_station", "natural_key"),
    UniqueConstraint("charging_station", "ocpp_transaction_id"),
    Index(None, "organisation_id", "charging_station", "state"),
    Index(None, "organisation_id", "review"),
    Index(None, "booking_id"),
    sqlite_autoincrement=True,
)

charging_transaction_events = Table(
    "charging_transaction_events",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("ocpp_transaction_id", String, nullable=False),
    Column("seq_no", Integer, nullable=False),
    Column("event_type", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("offline", Boolean, nullable=False, default=False),
    Column("payload", JSON, nullable=False),
    UniqueConstraint("charging_station", "ocpp_transaction_id", "seq_no", "event_type"),
    sqlite_autoincrement=True,
)

charging_transaction_decisions = Table(
    "charging_transaction_decisions",  # what was decided here, beside what the station told
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("charging_transaction_id", BigInteger, ForeignKey("charging_transactions.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("after_frame", BigInteger, nullable=False),  # the station's last frame that was known then
    Column("kind", String, nullable=False),  # presumed_end | settlement
    Column("facts", JSON, nullable=False),  # csms.decisions writes and reads them
    Column("by_person_id", String),
    Column("note", String),
    Index(None, "charging_transaction_id"),
    sqlite_autoincrement=True,
)

signed_meter_values = Table(
    "signed_meter_values",  # what a meter signed: kept as it came, never read as a number
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("evse_id", Integer, nullable=False),
    Column("charging_transaction_id", BigInteger),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("context", String, nullable=False),
    Column("encoding", String),  # as told: OCMF, EDL, ...
    Column("public_key", Text),
    Column("data", Text, nullable=False),
    Column("digest", BigInteger, nullable=False),  # a repeated message is the same row
    UniqueConstraint("charging_station", "at", "evse_id", "digest"),
    Index(None, "charging_transaction_id"),
    sqlite_autoincrement=True,
)

meter_values = Table(
    "meter_values",  # one row for all that a meter said at one instant
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("evse_id", Integer, nullable=False),
    Column("charging_transaction_id", BigInteger),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("power_w", Integer),  # imported, all phases
    Column("register_wh", BigInteger),  # imported energy at the outlet
    Column(
        "readings", JSON, nullable=False
    ),  # [[measurand, thousandths, unit, phase, location, context], ...]
    Column("digest", BigInteger, nullable=False),  # of the readings: a repeated message is the same row
    UniqueConstraint("charging_station", "at", "evse_id", "digest"),
    sqlite_autoincrement=True,
)

commands = Table(
    "commands",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("action", String, nullable=False),
    Column("payload", JSON, nullable=False),  # secrets masked once sent
    Column("priority", Integer, nullable=False),  # csms.command_policy.Priority
    Column("state", String, nullable=False),  # csms.outbound.CommandState
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("finished_at", Instant),
    Column("response", JSON),
    Column("error", JSON),
    Column("origin", String, nullable=False),  # api | portal | charging | csms | relay
    Column("by_person_id", String),
    Column("ocpp", String),  # version it was sent in; None before
    Column("due_at", Instant),  # not sent earlier; None: at once
    Column("tries", Integer, nullable=False, default=0, server_default=text("0")),  # times it was sent
    Column("tries_allowed", Integer, nullable=False, default=1, server_default=text("1")),
    Column("batch_id", String),
    Column("idempotency_key", String),
    Column("fingerprint", String),  # of action and payload, to tell another command under the same key
    Index(None, "organisation_id", "charging_station", "created_at"),
    Index(None, "organisation_id", "charging_station", "idempotency_key", unique=True),
    Index(None, "state", "due_at"),
    Index(None, "batch_id"),
)

command_batches = Table(
    "command_batches",  # one command to many charging stations; the rows of `commands` hold the results
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("action", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("origin", String, nullable=False),
    Column("by_person_id", String),
    Column("idempotency_key", String),
    Column("fingerprint", String),
    Index(None, "organisation_id", "created_at"),
    Index(None, "organisation_id", "idempotency_key", unique=True),
)

device_notices = Table(  # what stations tell about themselves: security events, monitored variables
    "device_notices",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("evse_id", Integer),
    Column("kind", String, nullable=False),  # csms.devices.model.NoticeKind
    Column("name", String, nullable=False),  # type of the event, or Component.Variable
    Column("key", String, nullable=False),  # what makes a repeated notice the same notice
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("alarming", Boolean, nullable=False),
    Column("cleared", Boolean, nullable=False),
    Column("details", JSON, nullable=False),
    UniqueConstraint("charging_station", "key"),
    Index(None, "organisation_id", "charging_station", "id"),
    sqlite_autoincrement=True,
)

errands = Table(  # what a station goes on doing after it has answered: firmware, logs, reports
    "errands",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("kind", String, nullable=False),  # csms.devices.model.ErrandKind
    Column("request_id", BigInteger),  # None where OCPP 1.6 knows none
    Column("command_id", String),  # None: the station told of it before its answer was read, or unasked
    Column("word", String, nullable=False),  # last status word of the station
    Column("state", String, nullable=False),  # csms.devices.model.ErrandState
    Column("begun_at", Instant, nullable=False),
    Column("told_at", Instant, nullable=False),
    Column("finished_at", Instant),
    UniqueConstraint("charging_station", "kind", "request_id"),
    Index(None, "organisation_id", "charging_station", "id"),
    sqlite_autoincrement=True,
)

errand_pages = Table(  # the pages of a report, in whatever order they came
    "errand_pages",
    metadata,
    Column("errand_id", BigInteger, ForeignKey("errands.id"), primary_key=True),
    Column("seq_no", Integer, primary_key=True),
    _tenant(),
    Column("last", Boolean, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("received_at", Instant, nullable=False),
)

charging_limits = Table(  # limits that somebody else than us has set in a station (2.0.1 K11-K13)
    "charging_limits",
    metadata,
    Column("charging_station", String, primary_key=True),
    Column("evse_id", Integer, primary_key=True),  # 0: the whole station
    Column("source", String, primary_key=True),  # EMS | Other | SO | CSO
    _tenant(),
    Column("grid_critical", Boolean, nullable=False),
    Column("charging_schedules", JSON, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "organisation_id", "charging_station"),
)

evse_reservations = Table(  # an EVSE held for a badge; a driver's hold on a car is a booking
    "evse_reservations",
    metadata,
    Column("charging_station", String, primary_key=True),
    Column("evse_reservation_id", BigInteger, primary_key=True),
    _tenant(),
    Column("evse_id", Integer, nullable=False),  # 0: any
    Column("token_hint", String, nullable=False),  # last characters only
    Column("expires_at", Instant),
    Column("state", String, nullable=False),  # csms.devices.model.ReservationState
    Column("state_at", Instant, nullable=False),
    Index(None, "organisation_id", "charging_station"),
)

device_files = Table(  # firmware for stations, and what they upload; the bytes are files of this id
    "device_files",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("kind", String, nullable=False),  # csms.devices.files.FileKind
    Column("charging_station", String),  # whose upload; None for firmware
    Column("command_id", String),  # that asked for the upload
    Column("name", String, nullable=False),
    Column("details", JSON, nullable=False),  # of firmware: vendor, model, version, signature, certificate
    Column("size_bytes", BigInteger),
    Column("sha256", String),
    Column("made_at", Instant, nullable=False),
    Column("complete_at", Instant),
    Column("by_person_id", String),
    Index(None, "organisation_id", "kind", "made_at"),
)

file_links = Table(  # an address that one station may use for a while; only the hash of its token is kept
    "file_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    _tenant(),
    Column("file_id", String, ForeignKey("device_files.id"), nullable=False),
    Column("charging_station", String, nullable=False),
    Column("purpose", String, nullable=False),  # upload (once) | download
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index(None, "file_id"),
)

# --- booking ----------------------------------------------------------------------------------------

bookings = Table(
    "bookings",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("community_id", String, ForeignKey("communities.id"), nullable=False),
    Column("station_id", String, ForeignKey("stations.id"), nullable=False),
    Column("vehicle_id", String, ForeignKey("vehicles.id"), nullable=False),
    Column("driver_id", String, ForeignKey("people.id"), nullable=False),
    Column("made_by_id", String, ForeignKey("people.id"), nullable=False),
    Column("status", String, nullable=False),  # booking.model.BookingStatus
    Column("start_at", Instant, nullable=False),
    Column("end_at", Instant, nullable=False),
    Column("blocked_until", Instant, nullable=False),  # end (or late return) plus the buffer
    Column("planned_km", Integer),
    Column("usage", String, nullable=False, default="public"),  # public | staff
    Column("purpose", String),
    Column("quoted_cents", Integer),
    Column("tariff_id", String),
    Column("made_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("returned_at", Instant),
    Column("cancelled_at", Instant),
    Column("start_km", Integer),
    Column("return_km", Integer),
    Column("late_told_at", Instant),
    Column("return_evidence", JSON),  # key, plug, charging, exception
    Column("fault_waived", Boolean, nullable=False, default=False),
    Column("version", Integer, nullable=False, default=1),
    CheckConstraint("end_at > start_at", name="ends_after_start"),
    CheckConstraint("blocked_until >= end_at", name="blocked_until_end"),
    Index(None, "vehicle_id", "start_at", "blocked_until"),
    Index(None, "organisation_id", "driver_id", "start_at"),
    Index(None, "organisation_id", "station_id", "start_at"),
    Index(None, "status", "end_at"),
)

vehicle_blocks = Table(
    "vehicle_blocks",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("vehicle_id", String, ForeignKey("vehicles.id"), nullable=False),
    Column("start_at", Instant, nullable=False),
    Column("end_at", Instant, nullable=False),
    Column("reason", String, nullable=False),
    Column("by_person_id", String),
    Index(None, "vehicle_id", "start_at"),
)

missed_searches = Table(
    "missed_searches",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("at", Instant, nullable=False),
    Column("community_id", String, nullable=False),
    Column("vehicle_id", String),
    Column("start_at", Instant, nullable=False),
    Column("end_at", Instant, nullable=False),
    Column("code", String, nullable=False),
    sqlite_autoincrement=True,
)

# --- access -----------------------------------------------------------------------------------------

access_codes = Table(
    "access_codes",
    metadata,
    Column("booking_id", String, ForeignKey("bookings.id"), primary_key=True),
    _tenant(),
    Column("station_id", String, nullable=False),
    Column("vehicle_id", String, nullable=False),
    Column("revision", Integer, nullable=False),  # the digits are derived from key, window and revision
    Column("valid_from", Instant, nullable=False),
    Column("valid_until", Instant, nullable=False),
    Column("released_at", Instant),  # shown and sent from then on
    Column("revoked_at", Instant),
    Column("box_revision", Integer),  # revision the key box has confirmed
    Index(None, "organisation_id", "station_id", "valid_until"),
)

key_boxes = Table(
    "key_boxes",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("station_id", String, ForeignKey("stations.id"), nullable=False),
    Column("provider", String, nullable=False),
    Column("config", JSON, nullable=False, default=dict),
    Index(None, "organisation_id", "station_id"),
)

access_events = Table(
    "access_events",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("at", Instant, nullable=False),
    Column("device", String, nullable=False),  # key_box:ID | immobiliser:VEHICLE | charging_station:IDENTITY
    Column("vehicle_id", String),
    Column("booking_id", String),
    Column("kind", String, nullable=False),  # opened | refused | key_taken | key_returned | released | ...
    Column("details", JSON, nullable=False, default=dict),
    Index(None, "organisation_id", "at"),
    sqlite_autoincrement=True,
)

simulated_devices = Table(
    "simulated_devices",
    metadata,
    Column("id", String, primary_key=True),  # key_box:ID | immobiliser:VEHICLE | card_provider
    _tenant(),
    Column("state", JSON, nullable=False),
)

# --- charging ---------------------------------------------------------------------------------------

energy_entries = Table(
    "energy_entries",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("vehicle_id", String, ForeignKey("vehicles.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", String, nullable=False),  # charging | trip | full | soc | entry | correction
    Column("cause", String, nullable=False),  # charging_transaction:ID, booking:ID ...; makes it idempotent
    Column("delta_wh", Integer, nullable=False),
    Column("stored_wh", Integer, nullable=False),
    Column("uncertainty_wh", Integer, nullable=False),
    Column("meter_wh", BigInteger),  # energy of a charge, at the meter, that this entry stands for
    UniqueConstraint("vehicle_id", "kind", "cause"),
    Index(None, "vehicle_id", "id"),
    sqlite_autoincrement=True,
)

replan_requests = Table(
    "replan_requests",
    metadata,
    Column("station_id", String, ForeignKey("stations.id"), primary_key=True),
    _tenant(),
    Column("reason", String, nullable=False),
    Column("asked_at", Instant, nullable=False),
)

charging_plans = Table(
    "charging_plans",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("station_id", String, ForeignKey("stations.id"), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("valid_until", Instant, nullable=False),
    Column("reason", String, nullable=False),
    Column("solver", String, nullable=False),
    Column("problem", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("needs", JSON, nullable=False),  # explanation facts per window
    Index(None, "organisation_id", "station_id", "id"),
    sqlite_autoincrement=True,
)

sent_profiles = Table(
    "sent_profiles",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("charging_station", String, nullable=False),
    Column("evse_id", Integer, nullable=False),
    Column("charging_plan_id", BigInteger),
    Column("command_id", String),
    Column("sent_at", Instant, nullable=False),
    Column("resend_at", Instant),
    Column("profile", JSON, nullable=False),
    Column("state", String, nullable=False),  # queued | accepted | rejected | failed
    Column("verified", String),  # composite | measured | differs
    Column("verified_at", Instant),
    Column("detail", String),
    Index(None, "organisation_id", "charging_station", "id"),
    sqlite_autoincrement=True,
)

# --- billing ----------------------------------------------------------------------------------------

tariffs = Table(
    "tariffs",
    metadata,
    Column("id", String, primary_key=True),
    Column("valid_from", LocalDate, primary_key=True),
    _tenant(),
    Column("community_id", String, ForeignKey("communities.id"), nullable=False),
    Column("name", String),
    Column("terms", JSON, nullable=False),  # billing.model.Tariff
    Index(None, "organisation_id", "community_id"),
)

invoice_series = Table(
    "invoice_series",
    metadata,
    Column("organisation_id", String, ForeignKey("organisations.id"), primary_key=True),
    Column("series", String, primary_key=True),  # e.g. "2026"
    Column("last_number", Integer, nullable=False),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("series", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String, nullable=False),  # trip | damage | credit
    Column("booking_id", String, ForeignKey("bookings.id")),
    Column("person_id", String, ForeignKey("people.id"), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("total_cents", Integer, nullable=False),
    Column("document", JSON, nullable=False),  # frozen: seller, buyer, lines, VAT, texts
    UniqueConstraint("organisation_id", "series", "number"),
    UniqueConstraint("booking_id", "kind"),
    Index(None, "organisation_id", "issued_at"),
    Index(None, "organisation_id", "person_id"),
)

payments = Table(
    "payments",
    metadata,
    Column("id", String, primary_key=True),
    _tenant(),
    Column("invoice_id", String, ForeignKey("invoices.id"), nullable=False, unique=True),
    Column("provider", String, nullable=False),
    Column("provider_reference", String),
    Column("amount_cents", Integer, nullable=False),
    Column("state", String, nullable=False),  # billing.payment.PaymentState
    Column("due_at", Instant, nullable=False),
    Column("asked_at", Instant),
    Column("settled_at", Instant),
    Column("attempts", Integer, nullable=False, default=0),
    Column("fee_cents", Integer),  # what the card provider really took (C14)
    Column("detail", String),
    Index(None, "state", "due_at"),
)

offline_cards = Table(  # which card the offline payment provider sees; no row: a card that works
    "offline_cards",
    metadata,
    Column("organisation_id", String, ForeignKey("organisations.id"), primary_key=True),
    Column("customer", String, primary_key=True),
    Column("card", String, nullable=False),
)

offline_payments = Table(  # what a card provider would have been asked, and what it would have done
    "offline_payments",
    metadata,
    Column("reference", String, primary_key=True),
    _tenant(),
    Column("key", String, nullable=False),  # idempotency key of the first call
    Column("customer", String, nullable=False),
    Column("amount_cents", Integer, nullable=False),
    Column("currency", String, nullable=False),
    Column("description", String, nullable=False),
    Column("capture", String, nullable=False),  # automatic | manual
    Column("state", String, nullable=False),  # billing.providers.payment.IntentState
    Column("captured_cents", Integer, nullable=False, default=0),
    Column("refunded_cents", Integer, nullable=False, default=0),
    Column("fee_cents", Integer, nullable=False, default=0),
    Column("decline_code", String),
    Column("created_at", Instant, nullable=False),
    Column("capture_before", Instant),
    Column("calls", JSON, nullable=False),  # every later call: key, action, amount_cents, at
    UniqueConstraint("organisation_id", "key"),
    Index(None, "organisation_id", "created_at"),
)

# --- notify -----------------------------------------------------------------------------------------

messages = Table(
    "messages",
    metadata,
    Column("id", String, primary_key=True),  # the outbox delivery and the channel: idempotent
    _tenant(),
    Column("person_id", String, ForeignKey("people.id"), nullable=False),
    Column("booking_id", String),
    Column("template", String, nullable=False),
    Column("channel", String, nullable=False),  # mail | sms
    Column("recipient", String, nullable=False),
    Column("state", String, nullable=False),  # queued | sent | failed | dead
    Column("attempts", Integer, nullable=False, default=0),
    Column("queued_at", Instant, nullable=False),
    Column("next_try_at", Instant),
    Column("sent_at", Instant),
    Column("error", String),
    Column("params", JSON, nullable=False, default=dict),  # never a code: it is derived when sending
    Index(None, "organisation_id", "person_id"),
    Index(None, "state", "next_try_at"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("station_id", String),
    Column("kind", String, nullable=False),
    Column("cause", String, nullable=False),  # one open alert per cause
    Column("severity", String, nullable=False),  # high | medium | info
    Column("params", JSON, nullable=False, default=dict),
    Column("opened_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", String),
    Column("closed_at", Instant),
    Index(None, "organisation_id", "closed_at"),
    Index(
        "uq_alerts_open_cause",
        "organisation_id",
        "cause",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# --- store ------------------------------------------------------------------------------------------

outbox_events = Table(
    "outbox_events",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("name", String, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("at", Instant, nullable=False),
    Column("spread_at", Instant),  # when deliveries were made for every consumer
    Index(None, "spread_at", "id"),
    sqlite_autoincrement=True,
)

outbox_deliveries = Table(
    "outbox_deliveries",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _tenant(),
    Column("event_id", BigInteger, ForeignKey("outbox_events.id"), nullable=False),
    Column("consumer", String, nullable=False),
    Column("state", String, nullable=False),  # pending | done | dead
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_try_at", Instant, nullable=False),
    Column("done_at", Instant),
    Column("error", String),
    UniqueConstraint("event_id", "consumer"),
    Index(None, "state", "next_try_at"),
    sqlite_autoincrement=True,
)
