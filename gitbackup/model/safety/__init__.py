"""What endangers the data, what raises an alarm, and what a restore test proved.

Who finds that out is not known here: the rooms `checks`, `commit` and `verify` do.
"""
