"""How anything is written: columns, colors, escapes, times.

Text from a database is escaped here before anything prints it. It knows lines and widths, and
nothing of keys or commits.
"""
