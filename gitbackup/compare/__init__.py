"""What differs between commits, or from the live database."""
