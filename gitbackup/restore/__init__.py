"""Make the live database equal a commit: plan, check, save, write, verify, record.

`Restorer` runs one restore in that order; a file for each step. Nothing is written before the
previous state is committed. It asks nobody and prints nothing: it is given a function that confirms
the plan.
"""
