"""The remotes of a repository: which there are, push to them, pull and clone from them.

What arrives is measured and checked before it counts. Which settings travel, and when to push, is
for the room `remotes` to decide.
"""
