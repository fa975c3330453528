"""Results as lines of text for a person.

A file for each kind of result: a diff, a plan, a history, a check. Lines are painted for a
terminal; whoever prints them elsewhere takes the colors off.
"""
