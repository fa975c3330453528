"""How anything is written: columns, colors, escapes, times."""
