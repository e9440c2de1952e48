"""Anonymised figures: each period is closed once, with noise, and everything is read from there."""
