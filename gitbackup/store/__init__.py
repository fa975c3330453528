"""History: the data repository. The only room that knows git."""
