"""Tell what differs between two commits, or between a commit and the live database.

`diff`, `status` and `show` return the keys that differ, with what changed inside their values, and
the Redis commands that turn one side into the other. How that looks is for `report` to decide.
"""
