"""What a server has besides values: databases, libraries, memory, replication, a clock.

Each file asks one thing and returns plain numbers and texts. Whether they are good or bad is for
`checks` and `restore` to judge.
"""
