"""Footing: an open backend for mobile apps that help people with back pain."""
