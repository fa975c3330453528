"""Random commands on real servers and real git, each with a fault at a seeded instant.

`python -m tests.torture --seconds 60 --seed 1` runs trials for a minute, `--trials 100` so many. A
trial changes the database, runs one command of gitbackup while something goes wrong, and then holds
what is there against what was promised (see `tests.torture.laws`). What does not hold is printed
with a command that replays it, and the figures by fault and command come last.

A name such as `7-0-3:12` is that of a trial: the twelfth in world 7-0-3, which is a folder and a
server of its own, made anew from the seed. `--replay 7-0-3:12` runs that world up to that trial.
"""
