"""Values, and the differences of two, as text."""
