"""Commit the live database, once or whenever it has changed."""
