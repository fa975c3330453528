"""The live database: connect, read, write. The only room that knows redis."""
