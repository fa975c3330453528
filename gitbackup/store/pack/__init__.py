"""Packs of objects, in git's own format: written, and looked up.

No other room of the store is needed for it: see "pack-*.pack files" in gitformat-pack(5).
"""

from __future__ import annotations
