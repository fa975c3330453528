"""Ask the commits about keys: log of a key, blame, keys of a commit.

Everything is answered from the repository, with as few files read as possible. No server is asked,
and nothing is written.
"""
