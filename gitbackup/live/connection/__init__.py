"""Connect to a server, one node or a cluster, and send it commands.

`connect` logs in and returns a `Server`; its `dial` opens a `Connection`. Errors of TLS and of the
network become one sentence here. What a key is, this room does not know.
"""
