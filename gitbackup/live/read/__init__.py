"""Read keys: names, values and expiries, and hear what changes meanwhile.

`KeyReader` reads many keys in bulk, `AtomicReader` a few at one instant, `Tracker` hears which keys
are written to. Values come out as entries. This room writes no key.
"""
