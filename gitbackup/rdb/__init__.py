"""RDB files: save, list, verify, and import as commits."""
