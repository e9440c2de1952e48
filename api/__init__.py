"""Footing: the open backend for mobile apps that help people with back pain through their feet."""
