"""Export entries to a file, and import them from one.

`formats` writes, `export_reader` and `redis_dump` read; an import is planned and carried out by
`restore`. Where the file is and what the person is told is for `cli` to decide.
"""
