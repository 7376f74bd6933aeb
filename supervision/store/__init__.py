"""The database: one writer that commits in groups, readers beside it, the outbox, the schema."""
