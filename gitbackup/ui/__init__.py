"""`gitbackup ui`: pages in the browser for what `gitbackup` does in a terminal.

`serve.py` runs them, `app.py` puts them under their paths, and `site.py` is what each is made from.
`door/` decides who may come in. Each page is a file of `pages/` with its template in `templates/`;
it shows what `views/` work out, and what it changes is a job of `jobs/`. `words/` has languages.
"""
