"""What is known of a server without asking it: how to connect, its replicas, its RDB files.

Nothing here connects: the room `live` does.
"""
