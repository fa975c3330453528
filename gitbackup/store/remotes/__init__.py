"""Exchange the history with another place: git remotes, folders, bundles, clones.

Nothing is ever forced, on either side, and what arrives is measured and checked before it counts.
Which settings travel, and when to push, is for the room `remotes` to decide.
"""
