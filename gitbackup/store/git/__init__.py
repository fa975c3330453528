"""git as a program: how it is run, and the repository that it runs in."""
