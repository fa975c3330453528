"""How many examples a law is tried with: all of them in CI, a tenth of them at home."""

from __future__ import annotations

import os

from hypothesis import settings

FEWEST = 10


def tried(times: int, **others: bool) -> settings:
    """Return hypothesis settings for a test that takes `times` examples in CI."""
    count = times if os.environ.get("CI") else max(FEWEST, times // 10)
    return settings(max_examples=count, deadline=None, **others)
