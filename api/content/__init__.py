"""From seed files to a validated release, and to prepared responses."""
