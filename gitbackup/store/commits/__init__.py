"""The commits of the history: listed with what is noted on them, their messages, rewritten.

`reword` moves HEAD; all else leaves it where it is. Putting a rewritten history in place is for
`store.repository`.
"""
