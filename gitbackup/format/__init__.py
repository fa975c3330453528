"""The stored format: bytes to text, keys to files, key patterns.

`codec` has the text rule and canonical JSON, `layout` which file holds which keys, `patterns` the
globs of Redis. What is written here is format 1 and does not change. It knows no type of Redis.
"""
