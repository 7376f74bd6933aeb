"""Relays: a second backend that is told of a charging station's messages too (docs/relay.md)."""
