"""What is said: the languages, what a form sent, and commands to copy.

It knows nothing of repositories and servers.
"""
