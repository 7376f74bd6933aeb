"""Car-sharing stations with their grid connections, and the vehicles parked there."""
