"""What may stand on a command line: the options that commands share, and what their values may be.

An option of one command alone is in that command's file.
"""
