"""Turn results into text, JSON or a page. Results in, text out.

Only `cli` prints what comes from here. This room knows neither redis, git nor click, and asks for
nothing that is not in the result.
"""
