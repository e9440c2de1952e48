"""Mechanics that every router shares; knows no domain."""
