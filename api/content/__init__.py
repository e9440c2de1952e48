"""Seed files become a validated release, a release becomes bytes, bytes become answers."""
