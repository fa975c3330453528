"""The benchmark: how fast gitbackup is, beside what else could be done. Run by hand:

    python -m tests.bench --keys 10k,100k

`database` makes up the data, `servers` runs them, `measure` takes times and memory, each file of
rows tells what is compared to what, `rows` lists them, `table` and `plot` show what came out.

Four more are run on their own, each a question of its own: `python -m tests.bench.history`,
`moment`, `watch` and `year`.
"""
