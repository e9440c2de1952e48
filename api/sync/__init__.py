"""Synchronisation: batches of records, the change feed, and reconciliation."""
