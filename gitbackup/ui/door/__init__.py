"""Who may come in, and how: the gate with its logins, its password and its limits.

It knows nothing of what the pages inside show.
"""
