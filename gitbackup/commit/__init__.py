"""Commit the live database, once or whenever it has changed.

`commit` makes one commit; `Watch` follows the server and makes one each time that keys have
changed. This room decides when to commit and what the message says. It does not know how keys are
read, nor how git stores them.
"""
