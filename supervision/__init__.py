"""Shared electric cars for a municipality: charging, booking, codes and bills in one process."""

__version__ = "0.1.0"
