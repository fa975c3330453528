"""Results as JSON for a program."""
