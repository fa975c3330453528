"""Push, pull and clone the history, with the settings that travel with it.

It decides what is pushed, when, and which settings are taken over. How git reaches another place is
in `store.remotes`.
"""
