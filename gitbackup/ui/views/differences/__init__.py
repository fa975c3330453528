"""What a page of differences shows: what was asked for, the groups of keys, and each key.

Nothing here knows of a template.
"""
