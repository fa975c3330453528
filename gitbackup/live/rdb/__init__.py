"""RDB files: fetched, checked, loaded into a server of our own."""
