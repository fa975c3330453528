"""The stored format: text of bytes, files by key, key patterns."""
