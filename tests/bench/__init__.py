"""The benchmark: how fast gitbackup is, beside what else could be done. Run by hand:

    python -m tests.bench --keys 10k,100k

`database` makes up the data, `servers` runs them, `measure` takes times and memory, each file of
rows tells what is compared to what, `rows` lists them, `table` and `plot` show what came out.
"""
