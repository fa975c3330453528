"""Results as lines of text for a person."""
