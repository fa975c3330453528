"""Prove that commits restore: check every file, restore into a server of our own, compare.

`verify` returns a `Proof` for each commit and keeps the verdict as a git note. The user's own
server is never touched.
"""
