"""Find what differs between snapshots, key by key and inside the values.

All of it is pure: entries in, changes out. It knows neither redis nor git nor how a change is
printed. It is the only room that imports deepdiff.
"""
