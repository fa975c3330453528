"""Write keys, each at once, and none that somebody else has changed meanwhile.

`KeyWriter` changes keys, `bulk_create` creates many that are not there, `write_probe` asks the
server beforehand whether it would take a write. Which keys to write is decided by a plan,
elsewhere.
"""
