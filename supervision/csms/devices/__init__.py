"""What stations tell and do besides charging: notices, errands, reservations, limits set by others."""
