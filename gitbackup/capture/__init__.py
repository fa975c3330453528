"""Read the live database as a snapshot of one moment."""
