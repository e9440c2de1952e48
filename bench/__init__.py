"""How fast Footing is, as a ratio against a stated limit: see "Speed" in docs/developers.md."""
