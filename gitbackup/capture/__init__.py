"""Read the live database as a snapshot, at one point in time where the server permits.

`SnapshotReader` reads all keys and turns them into files; `take` compares these with a known
snapshot. This room reads and compares: it makes no commit, and writes to no server.
"""
