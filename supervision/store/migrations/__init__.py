"""Alembic migrations, run by `supervision migrate` and by `serve` on an empty database."""
