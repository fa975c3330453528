"""The history: the data repository and all that is done with it. The only room that knows git.

Other rooms get blob ids, files and commits from here. This room knows nothing of redis, and nothing
of what is inside a snapshot's files.
"""
