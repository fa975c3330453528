"""The commands: a file for each, by its name.

A command reads its options, calls a method of `Backup`, and prints the result with `report`. It
contains nothing that a Python program could want too: that is in `Backup`.
"""
