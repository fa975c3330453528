"""Write keys, each at once, after asking whether the server takes it."""
