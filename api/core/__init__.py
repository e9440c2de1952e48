"""The base of every layer: settings, clock, errors, database and logs."""
