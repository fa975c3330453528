"""What the commits tell of keys."""
