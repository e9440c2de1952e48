"""Making publications: each period is closed once, from exact figures to noisy ones."""
