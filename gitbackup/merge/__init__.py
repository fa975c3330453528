"""Merge three versions of a key: before a commit, after it, and now.

What the commit changed goes back, what came later stays. All of it is pure: entries in, an entry
and its clashes out.
"""
