"""What a command prints, and where: the terminal, a pager, a page for a browser, an exit code.

The words are those of `report`. Nothing here knows an option.
"""
