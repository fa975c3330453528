"""RDB files for a user: save, list, verify, and import as commits.

It decides where files are kept and what they are called. How a file is fetched and loaded is in
`live.rdb`.
"""
