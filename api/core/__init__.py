"""What every floor stands on: settings, clock, errors, database and logs."""
