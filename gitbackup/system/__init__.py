"""This machine: its files and its memory.

`atomic_file` writes a file that is whole or not there, `available_memory` tells how much memory is
left and reads a file only if there is enough.
"""
