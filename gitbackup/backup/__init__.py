"""The class `Backup`, a method for each verb, for any Python program.

`context` has what the verbs work on: the repository, the server, the keys in scope. What a verb
does is in the rooms below; only what is too short for a room of its own is here, such as
`init`.
"""
