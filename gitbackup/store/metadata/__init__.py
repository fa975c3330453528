"""What is kept beside the commits, in refs of its own, and travels with them.

Notes of restore tests, a person's words on a commit, settings, and what was forgotten.
"""
