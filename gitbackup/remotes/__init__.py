"""Push, pull and clone."""
