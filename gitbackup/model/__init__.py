"""The nouns: keys, entries, scope, changes, commits. Frozen, and free of redis and git."""
