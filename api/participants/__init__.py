"""Enrolment, devices, tokens and consent."""
