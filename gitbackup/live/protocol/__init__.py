"""What goes over a connection: how a command is packed, and what a reply means.

Nothing here opens a connection. An error reply of the server becomes one sentence here.
"""
