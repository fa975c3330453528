"""Run git as a program, and find or make the repository that it runs in.

`Commands` runs git in an environment that nothing outside can bend; the lock, the settings and the
ownership of the repository are here too. What is stored in it is not.
"""
