"""`gitbackup ui`: a page in the browser for what `gitbackup` does in a terminal.

`site.py` is what pages are made from, `app.py` puts them under their paths, `gate.py` decides who
may come in, and `serve.py` runs it. Each page is a file of `pages/` with its template of the same
name in `templates/`.
"""
