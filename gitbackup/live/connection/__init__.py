"""Connect to a server; send commands and parse replies.

`connect` logs in and returns a `Server`; its `dial` opens a `Connection`. Errors of the server, of
TLS and of the network become one sentence here. What a key is, this room does not know.
"""
