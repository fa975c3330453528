"""Judge whether the data is safe: a file for each family of risks.

`check` collects what is known of the server, the history and the RDB files, and returns a `Risk`
for each thing that can happen. It only reads, and knows nothing of how a result is printed.
"""
