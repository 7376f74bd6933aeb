"""The first schema: every table, the booking guard and the invoice guard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from supervision.store import booking_guard, invoice_guard

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite gives AUTOINCREMENT to INTEGER columns only.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, then the guards."""
    _create_tables()
    guards = (booking_guard, invoice_guard)
    dialect = op.get_bind().dialect.name
    for statement in (text for guard in guards for text in guard.statements(dialect)):
        op.execute(statement)


def _create_tables() -> None:  # noqa: PLR0915 - one statement a table, in the order of their references
    op.create_table(
        "login_failures",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_login_failures_source_at"), "login_failures", ["source", "at"], unique=False)
    op.create_table(
        "organisations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("legal", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("licence_number", sa.String(), nullable=True),
        sa.Column("licence_category", sa.String(), nullable=True),
        sa.Column("licence_valid_until", sa.String(length=10), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("email", name=op.f("uq_people_email")),
    )
    op.create_table(
        "access_events",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.Column("booking_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_access_events_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_access_events_organisation_id_at"), "access_events", ["organisation_id", "at"], unique=False
    )
    op.create_table(
        "alerts",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_alerts_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_alerts_organisation_id_closed_at"), "alerts", ["organisation_id", "closed_at"], unique=False
    )
    op.create_index(
        "uq_alerts_open_cause",
        "alerts",
        ["organisation_id", "cause"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_api_tokens_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_api_tokens")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_audit_entries_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_audit_entries_organisation_id_at"), "audit_entries", ["organisation_id", "at"], unique=False
    )
    op.create_table(
        "authorisation_attempts",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("token_hint", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("booking_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_authorisation_attempts_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorisation_attempts")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_authorisation_attempts_organisation_id_at"),
        "authorisation_attempts",
        ["organisation_id", "at"],
        unique=False,
    )
    op.create_table(
        "charging_transaction_events",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("ocpp_transaction_id", sa.String(), nullable=False),
        sa.Column("seq_no", sa.Integer(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_charging_transaction_events_organisation_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_transaction_events")),
        sa.UniqueConstraint(
            "charging_station",
            "ocpp_transaction_id",
            "seq_no",
            "event_type",
            name=op.f(
                "uq_charging_transaction_events_charging_station_ocpp_transaction_id_seq_no_event_type"
            ),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "charging_transactions",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("ocpp", sa.String(), nullable=False),
        sa.Column("ocpp_transaction_id", sa.String(), nullable=False),
        sa.Column("natural_key", sa.String(), nullable=False),
        sa.Column("id_token", sa.String(), nullable=True),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("booking_id", sa.String(), nullable=True),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("charging_state", sa.String(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("started_received_at", sa.BigInteger(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.Column("stopped_received_at", sa.BigInteger(), nullable=True),
        sa.Column("meter_start_wh", sa.BigInteger(), nullable=True),
        sa.Column("meter_stop_wh", sa.BigInteger(), nullable=True),
        sa.Column("meter_last_wh", sa.BigInteger(), nullable=True),
        sa.Column("energy_wh", sa.BigInteger(), nullable=True),
        sa.Column("stop_reason", sa.String(), nullable=True),
        sa.Column("start_told", sa.Boolean(), nullable=False),
        sa.Column("stop_register_told", sa.Boolean(), nullable=False),
        sa.Column("start_rank", sa.BigInteger(), nullable=True),
        sa.Column("last_rank", sa.BigInteger(), nullable=True),
        sa.Column("token_rank", sa.BigInteger(), nullable=True),
        sa.Column("state_rank", sa.BigInteger(), nullable=True),
        sa.Column("authorisation", sa.String(), nullable=True),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("review", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_charging_transactions_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_transactions")),
        sa.UniqueConstraint(
            "charging_station",
            "natural_key",
            name=op.f("uq_charging_transactions_charging_station_natural_key"),
        ),
        sa.UniqueConstraint(
            "charging_station",
            "ocpp_transaction_id",
            name=op.f("uq_charging_transactions_charging_station_ocpp_transaction_id"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_charging_transactions_booking_id"), "charging_transactions", ["booking_id"], unique=False
    )
    op.create_index(
        op.f("ix_charging_transactions_organisation_id_charging_station_state"),
        "charging_transactions",
        ["organisation_id", "charging_station", "state"],
        unique=False,
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("response", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_commands_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
    )
    op.create_index(
        op.f("ix_commands_organisation_id_charging_station_created_at"),
        "commands",
        ["organisation_id", "charging_station", "created_at"],
        unique=False,
    )
    op.create_table(
        "communities",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("support_phone", sa.String(), nullable=True),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_communities_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_communities")),
    )
    op.create_index(op.f("ix_communities_organisation_id"), "communities", ["organisation_id"], unique=False)
    op.create_table(
        "frames",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("frame", sa.Text(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_frames_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frames")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_frames_at"), "frames", ["at"], unique=False)
    op.create_index(op.f("ix_frames_charging_station_id"), "frames", ["charging_station", "id"], unique=False)
    op.create_table(
        "id_tokens",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("token_key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_id_tokens_organisation_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_id_tokens_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_id_tokens")),
        sa.UniqueConstraint(
            "organisation_id", "token_key", name=op.f("uq_id_tokens_organisation_id_token_key")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "invoice_series",
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_invoice_series_organisation_id")
        ),
        sa.PrimaryKeyConstraint("organisation_id", "series", name=op.f("pk_invoice_series")),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("booking_id", sa.String(), nullable=True),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_messages_organisation_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_messages_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(
        op.f("ix_messages_organisation_id_person_id"),
        "messages",
        ["organisation_id", "person_id"],
        unique=False,
    )
    op.create_index(op.f("ix_messages_state_next_try_at"), "messages", ["state", "next_try_at"], unique=False)
    op.create_table(
        "meter_values",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("charging_transaction_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("measurand", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("context", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("value_milli", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_meter_values_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_values")),
        sa.UniqueConstraint(
            "charging_station",
            "evse_id",
            "at",
            "measurand",
            "phase",
            "location",
            "context",
            "value_milli",
            name=op.f(
                "uq_meter_values_charging_station_evse_id_at_measurand_phase_location_context_value_milli"
            ),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_meter_values_organisation_id_at"), "meter_values", ["organisation_id", "at"], unique=False
    )
    op.create_table(
        "missed_searches",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_missed_searches_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_missed_searches")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "offline_cards",
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("card", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_offline_cards_organisation_id")
        ),
        sa.PrimaryKeyConstraint("organisation_id", "customer", name=op.f("pk_offline_cards")),
    )
    op.create_table(
        "offline_payments",
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("capture", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("captured_cents", sa.Integer(), nullable=False),
        sa.Column("refunded_cents", sa.Integer(), nullable=False),
        sa.Column("fee_cents", sa.Integer(), nullable=False),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("capture_before", sa.BigInteger(), nullable=True),
        sa.Column("calls", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_offline_payments_organisation_id")
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_offline_payments")),
        sa.UniqueConstraint("organisation_id", "key", name=op.f("uq_offline_payments_organisation_id_key")),
    )
    op.create_index(
        op.f("ix_offline_payments_organisation_id_created_at"),
        "offline_payments",
        ["organisation_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "outbox_events",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("spread_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_outbox_events_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_events_spread_at_id"), "outbox_events", ["spread_at", "id"], unique=False)
    op.create_table(
        "sent_profiles",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("charging_plan_id", sa.BigInteger(), nullable=True),
        sa.Column("command_id", sa.String(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("resend_at", sa.BigInteger(), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("verified", sa.String(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_sent_profiles_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sent_profiles")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_sent_profiles_organisation_id_charging_station_id"),
        "sent_profiles",
        ["organisation_id", "charging_station", "id"],
        unique=False,
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_sessions_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_person_id"), "sessions", ["person_id"], unique=False)
    op.create_table(
        "simulated_devices",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_simulated_devices_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulated_devices")),
    )
    op.create_table(
        "outbox_deliveries",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["outbox_events.id"], name=op.f("fk_outbox_deliveries_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_outbox_deliveries_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_deliveries")),
        sa.UniqueConstraint("event_id", "consumer", name=op.f("uq_outbox_deliveries_event_id_consumer")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_outbox_deliveries_state_next_try_at"),
        "outbox_deliveries",
        ["state", "next_try_at"],
        unique=False,
    )
    op.create_table(
        "roles",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("community_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name=op.f("fk_roles_community_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_roles_organisation_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_roles_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint(
            "person_id",
            "role",
            "organisation_id",
            "community_id",
            name=op.f("uq_roles_person_id_role_organisation_id_community_id"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_roles_organisation_id"), "roles", ["organisation_id"], unique=False)
    op.create_table(
        "rule_changes",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("community_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_rule_changes_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_rule_changes_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_changes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "stations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("community_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("grid_limit_a", sa.JSON(), nullable=False),
        sa.Column("grid_voltage_v", sa.Integer(), nullable=False),
        sa.Column("electricity_prices", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name=op.f("fk_stations_community_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_stations_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
    )
    op.create_index(op.f("ix_stations_organisation_id"), "stations", ["organisation_id"], unique=False)
    op.create_table(
        "tariffs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("valid_from", sa.String(length=10), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("community_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name=op.f("fk_tariffs_community_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_tariffs_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", "valid_from", name=op.f("pk_tariffs")),
    )
    op.create_index(
        op.f("ix_tariffs_organisation_id_community_id"),
        "tariffs",
        ["organisation_id", "community_id"],
        unique=False,
    )
    op.create_table(
        "charging_plans",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("solver", sa.String(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_charging_plans_organisation_id")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_charging_plans_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_plans")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_charging_plans_organisation_id_station_id_id"),
        "charging_plans",
        ["organisation_id", "station_id", "id"],
        unique=False,
    )
    op.create_table(
        "charging_stations",
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("security_profile", sa.Integer(), nullable=False),
        sa.Column("password_salt", sa.LargeBinary(), nullable=True),
        sa.Column("password_hash", sa.LargeBinary(), nullable=True),
        sa.Column("ocpp", sa.String(), nullable=True),
        sa.Column("boot", sa.JSON(), nullable=True),
        sa.Column("booted_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("connected_at", sa.BigInteger(), nullable=True),
        sa.Column("disconnected_at", sa.BigInteger(), nullable=True),
        sa.Column("clock_offset_ms", sa.BigInteger(), nullable=True),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("violations", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_charging_stations_organisation_id")
        ),
        sa.ForeignKeyConstraint(
            ["station_id"], ["stations.id"], name=op.f("fk_charging_stations_station_id")
        ),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_charging_stations")),
    )
    op.create_index(
        op.f("ix_charging_stations_organisation_id_station_id"),
        "charging_stations",
        ["organisation_id", "station_id"],
        unique=False,
    )
    op.create_table(
        "key_boxes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_key_boxes_organisation_id")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_key_boxes_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_boxes")),
    )
    op.create_index(
        op.f("ix_key_boxes_organisation_id_station_id"),
        "key_boxes",
        ["organisation_id", "station_id"],
        unique=False,
    )
    op.create_table(
        "replan_requests",
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_replan_requests_organisation_id")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_replan_requests_station_id")),
        sa.PrimaryKeyConstraint("station_id", name=op.f("pk_replan_requests")),
    )
    op.create_table(
        "vehicles",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=True),
        sa.Column("evse_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("battery_wh", sa.Integer(), nullable=False),
        sa.Column("phases", sa.Integer(), nullable=False),
        sa.Column("max_a", sa.Float(), nullable=False),
        sa.Column("min_a", sa.Float(), nullable=False),
        sa.Column("wh_per_km", sa.Integer(), nullable=False),
        sa.Column("efficiency", sa.Float(), nullable=False),
        sa.Column("tariff_id", sa.String(), nullable=True),
        sa.Column("key_box_slot", sa.Integer(), nullable=True),
        sa.Column("odometer_km", sa.Integer(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_vehicles_organisation_id")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_vehicles_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicles")),
    )
    op.create_index(
        op.f("ix_vehicles_organisation_id_station_id"),
        "vehicles",
        ["organisation_id", "station_id"],
        unique=False,
    )
    op.create_table(
        "bookings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("community_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("driver_id", sa.String(), nullable=False),
        sa.Column("made_by_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=False),
        sa.Column("planned_km", sa.Integer(), nullable=True),
        sa.Column("usage", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("quoted_cents", sa.Integer(), nullable=True),
        sa.Column("tariff_id", sa.String(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("start_km", sa.Integer(), nullable=True),
        sa.Column("return_km", sa.Integer(), nullable=True),
        sa.Column("late_told_at", sa.BigInteger(), nullable=True),
        sa.Column("return_evidence", sa.JSON(), nullable=True),
        sa.Column("fault_waived", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("blocked_until >= end_at", name=op.f("ck_bookings_blocked_until_end")),
        sa.CheckConstraint("end_at > start_at", name=op.f("ck_bookings_ends_after_start")),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name=op.f("fk_bookings_community_id")),
        sa.ForeignKeyConstraint(["driver_id"], ["people.id"], name=op.f("fk_bookings_driver_id")),
        sa.ForeignKeyConstraint(["made_by_id"], ["people.id"], name=op.f("fk_bookings_made_by_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_bookings_organisation_id")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_bookings_station_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_bookings_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
    )
    op.create_index(
        op.f("ix_bookings_organisation_id_driver_id_start_at"),
        "bookings",
        ["organisation_id", "driver_id", "start_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bookings_organisation_id_station_id_start_at"),
        "bookings",
        ["organisation_id", "station_id", "start_at"],
        unique=False,
    )
    op.create_index(op.f("ix_bookings_status_end_at"), "bookings", ["status", "end_at"], unique=False)
    op.create_index(
        op.f("ix_bookings_vehicle_id_start_at_blocked_until"),
        "bookings",
        ["vehicle_id", "start_at", "blocked_until"],
        unique=False,
    )
    op.create_table(
        "energy_entries",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("delta_wh", sa.Integer(), nullable=False),
        sa.Column("stored_wh", sa.Integer(), nullable=False),
        sa.Column("uncertainty_wh", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_energy_entries_organisation_id")
        ),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_energy_entries_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_energy_entries")),
        sa.UniqueConstraint(
            "vehicle_id", "kind", "cause", name=op.f("uq_energy_entries_vehicle_id_kind_cause")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_energy_entries_vehicle_id_id"), "energy_entries", ["vehicle_id", "id"], unique=False
    )
    op.create_table(
        "evses",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("phases", sa.JSON(), nullable=False),
        sa.Column("max_a", sa.Float(), nullable=False),
        sa.Column("min_a", sa.Float(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_at", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("power_w", sa.Integer(), nullable=True),
        sa.Column("power_at", sa.BigInteger(), nullable=True),
        sa.Column("current_a", sa.JSON(), nullable=True),
        sa.Column("soc_percent", sa.Float(), nullable=True),
        sa.Column("soc_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["charging_station"], ["charging_stations.identity"], name=op.f("fk_evses_charging_station")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_evses_organisation_id")
        ),
        sa.PrimaryKeyConstraint("charging_station", "evse_id", name=op.f("pk_evses")),
    )
    op.create_index(op.f("ix_evses_organisation_id"), "evses", ["organisation_id"], unique=False)
    op.create_table(
        "vehicle_blocks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_vehicle_blocks_organisation_id")
        ),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_vehicle_blocks_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicle_blocks")),
    )
    op.create_index(
        op.f("ix_vehicle_blocks_vehicle_id_start_at"),
        "vehicle_blocks",
        ["vehicle_id", "start_at"],
        unique=False,
    )
    op.create_table(
        "access_codes",
        sa.Column("booking_id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("box_revision", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_access_codes_booking_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_access_codes_organisation_id")
        ),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_access_codes")),
    )
    op.create_index(
        op.f("ix_access_codes_organisation_id_station_id_valid_until"),
        "access_codes",
        ["organisation_id", "station_id", "valid_until"],
        unique=False,
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("booking_id", sa.String(), nullable=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("total_cents", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_invoices_booking_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_invoices_organisation_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_invoices_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("booking_id", "kind", name=op.f("uq_invoices_booking_id_kind")),
        sa.UniqueConstraint(
            "organisation_id", "series", "number", name=op.f("uq_invoices_organisation_id_series_number")
        ),
    )
    op.create_index(
        op.f("ix_invoices_organisation_id_issued_at"),
        "invoices",
        ["organisation_id", "issued_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_invoices_organisation_id_person_id"),
        "invoices",
        ["organisation_id", "person_id"],
        unique=False,
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_reference", sa.String(), nullable=True),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fee_cents", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_payments_invoice_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_payments_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_payments_invoice_id")),
    )
    op.create_index(op.f("ix_payments_state_due_at"), "payments", ["state", "due_at"], unique=False)
