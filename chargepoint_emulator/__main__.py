"""``python -m chargepoint_emulator``."""

from chargepoint_emulator.cli import main

main()
