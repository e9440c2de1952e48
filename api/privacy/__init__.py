"""Export and erasure, over a registry of every table that holds personal data."""
