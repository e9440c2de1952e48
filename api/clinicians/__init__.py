"""Clinicians: who they are, how they prove it, and the log of what they asked."""
