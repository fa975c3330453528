"""The kinds of places that a history is pushed to, a file for each: git URLs, folders, bundles.

`transport` is what a kind has to do, and `transports` lists the kinds. Nothing is ever forced, on
either side.
"""
