"""RDB files: fetched, checked, and loaded into a server of gitbackup's own.

A file has its name only once it is whole. Where files are kept, and what becomes of their data, is
for the room `rdb` to decide.
"""
