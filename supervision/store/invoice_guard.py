"""Issued invoices never change and never disappear: the schema refuses it (C29)."""

from __future__ import annotations

FROZEN = "frozen"  # the word both databases put into their error

SQLITE = tuple(
    f"CREATE TRIGGER invoices_{FROZEN}_{moment.lower()} BEFORE {moment} ON invoices"
    f" BEGIN SELECT RAISE(ABORT, '{FROZEN}'); END"
    for moment in ("UPDATE", "DELETE")
)

POSTGRESQL = (
    f"""
CREATE FUNCTION invoices_{FROZEN}() RETURNS trigger AS $$
BEGIN
  RAISE EXCEPTION '{FROZEN}';
END $$ LANGUAGE plpgsql""",
    f"CREATE TRIGGER invoices_{FROZEN} BEFORE UPDATE OR DELETE ON invoices"
    f" FOR EACH ROW EXECUTE FUNCTION invoices_{FROZEN}()",
)


def statements(dialect: str) -> tuple[str, ...]:
    """Return the DDL of the guard for a dialect name."""
    return SQLITE if dialect == "sqlite" else POSTGRESQL
