"""Organisations, communities, people, roles, logins and tokens."""
