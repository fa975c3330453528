"""A snapshot's files, where they come from, and what differs between two."""
