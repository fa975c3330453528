"""What a shell offers for Tab, and how that goes on the line.

`gitbackup completion` itself is in `commands`. Nothing here starts a server or changes a file.
"""
