"""Outside services that billing uses, one directory each: transport, rules and an offline twin."""
