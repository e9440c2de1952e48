"""Clinicians: authentication, keys, and the audit log."""
