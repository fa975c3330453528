from __future__ import annotations

from tests.ui.live_site import LiveSite


def test_the_first_visit_shows_the_commits(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit("first commit")

    site.page.goto("/")

    assert "first commit" in site.page.inner_text("main")
