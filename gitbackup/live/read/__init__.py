"""Read keys: names, values, expiries; and hear what changes meanwhile."""
