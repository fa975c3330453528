"""The live database: connect, read, write. The only room that knows redis.

Other rooms get entries and outcomes from here, and never a reply of the server. This room knows
nothing of commits, files and git.
"""
