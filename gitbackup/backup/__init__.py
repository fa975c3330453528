"""The class `Backup`, a method for each verb, for any Python program.

`context` has what the verbs work on: the repository, the server, the keys in scope. `views` and
`restores` have the verbs whose arguments have to be put together by the settings: those that only
read, and those that write to a server. `events` is what follows a commit.
"""
