"""Connect to a server; send commands and parse replies."""
