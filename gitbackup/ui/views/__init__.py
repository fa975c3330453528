"""What a page shows, worked out: differences, keys, values, histories, plots, a part at a time.

Nothing here writes to the database or to the repository.
"""
