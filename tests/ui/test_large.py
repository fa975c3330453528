"""Values of many megabytes on a page: what is shown at once, and what is left to another page."""

from __future__ import annotations

import pytest
import redis

from gitbackup import Backup
from gitbackup.report.words import ENGLISH
from gitbackup.snapshot.file_format import LARGE
from gitbackup.ui.pages import compare
from gitbackup.ui.views.differences.asked import Asked
from gitbackup.ui.views.differences.pairs import Pairs
from gitbackup.ui.views.summaries import Summaries
from tests.servers import LiveServer


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


@pytest.fixture
def changed(backup: Backup, client: redis.Redis) -> Backup:
    """A large value and a small one, both changed by the last commit."""
    client.mset({"large": "x" * LARGE, "small": "1"})
    backup.commit("first commit")
    client.mset({"large": "y" * LARGE, "small": "2"})
    backup.commit("second commit")
    return backup


def test_a_list_shows_small_keys_and_leads_to_the_large_ones(changed: Backup) -> None:
    asked = Asked(changed.resolve("HEAD~1"), changed.resolve("HEAD"))
    pair = Pairs().of(changed, asked.a, asked.b)

    view = compare.view_of(changed, ENGLISH, pair, asked)

    (place,) = view.places
    keys = [key for group in place.groups for key in group.keys or ()]
    assert [(key.key.name, key.rows is None) for key in keys] == [("large", True), ("small", False)]
    assert "name=large" in keys[0].href
    assert [key.held for key in keys] == [asked.a, asked.a]


def test_a_large_value_is_found_by_its_text(changed: Backup) -> None:
    asked = Asked(changed.resolve("HEAD~1"), changed.resolve("HEAD"), text="yyy")
    pair = Pairs().of(changed, asked.a, asked.b)

    found = compare.view_of(changed, ENGLISH, pair, asked).found

    assert found is not None
    assert [key.key.name for key in found.keys] == ["large"]


def test_a_page_does_not_wait_for_large_values_to_be_summed_up(changed: Backup) -> None:
    commits = [*changed.log(limit=1)]
    assert Summaries().of(changed, commits, 60, large=False) == {}
    assert [*Summaries().of(changed, commits, 60, large=True)] == [commits[0].id]
