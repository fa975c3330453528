"""gitbackup: git for a Redis database."""
