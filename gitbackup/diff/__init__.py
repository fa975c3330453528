"""What differs between snapshots, key by key and inside the values. Pure."""
