"""The overlap-and-buffer guard, in the schema: a second booking of a car cannot be stored (C38).

SQLite: triggers in the predecessor form, exact while the stored rows do not overlap, and fast because
the latest earlier booking is one step in an index. PostgreSQL: an exclusion constraint.
Both see `[start_at, blocked_until)`, where `blocked_until` holds the end and the buffer.
"""

from __future__ import annotations

HOLDING = ("hold", "booked", "active")  # booking.model.BookingStatus words that keep others away
OVERLAP = "overlap"  # the word both databases put into their error

_LIST = ", ".join(f"'{status}'" for status in HOLDING)


def _trigger(name: str, moment: str) -> str:
    return f"""
CREATE TRIGGER {name} BEFORE {moment} ON bookings
WHEN NEW.status IN ({_LIST})
BEGIN
  SELECT RAISE(ABORT, '{OVERLAP}') WHERE (
    SELECT blocked_until FROM bookings
    WHERE vehicle_id = NEW.vehicle_id AND status IN ({_LIST})
      AND start_at < NEW.blocked_until AND id <> NEW.id
    ORDER BY start_at DESC LIMIT 1
  ) > NEW.start_at;
  SELECT RAISE(ABORT, '{OVERLAP}') WHERE EXISTS (
    SELECT 1 FROM vehicle_blocks
    WHERE vehicle_id = NEW.vehicle_id AND start_at < NEW.blocked_until AND end_at > NEW.start_at
  );
END"""


SQLITE = (
    f"CREATE INDEX ix_bookings_holding ON bookings (vehicle_id, start_at, blocked_until)"
    f" WHERE status IN ({_LIST})",
    _trigger("bookings_overlap_insert", "INSERT"),
    _trigger("bookings_overlap_update", "UPDATE OF vehicle_id, start_at, blocked_until, status"),
)

POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    f"CREATE INDEX ix_bookings_holding ON bookings (vehicle_id, start_at, blocked_until)"
    f" WHERE status IN ({_LIST})",
    f"ALTER TABLE bookings ADD CONSTRAINT {OVERLAP} EXCLUDE USING gist"
    f" (vehicle_id WITH =, int8range(start_at, blocked_until) WITH &&) WHERE (status IN ({_LIST}))",
    f"""
CREATE FUNCTION bookings_respect_blocks() RETURNS trigger AS $$
BEGIN
  IF NEW.status IN ({_LIST}) AND EXISTS (
    SELECT 1 FROM vehicle_blocks
    WHERE vehicle_id = NEW.vehicle_id AND start_at < NEW.blocked_until AND end_at > NEW.start_at
  ) THEN
    RAISE EXCEPTION '{OVERLAP}';
  END IF;
  RETURN NEW;
END $$ LANGUAGE plpgsql""",
    "CREATE TRIGGER bookings_respect_blocks BEFORE INSERT OR UPDATE OF vehicle_id, start_at, blocked_until,"
    " status ON bookings FOR EACH ROW EXECUTE FUNCTION bookings_respect_blocks()",
)


def statements(dialect: str) -> tuple[str, ...]:
    """Return the DDL of the guard for a dialect name."""
    return SQLITE if dialect == "sqlite" else POSTGRESQL
