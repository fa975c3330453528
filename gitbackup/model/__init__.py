"""The nouns: keys, entries, scope, changes, commits, risks.

All are frozen values that any room may use and return to a Python program. They know nothing of
redis, git, files or the terminal.
"""
