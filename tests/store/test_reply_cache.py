"""What is known of the server's replies is a saving, and never more than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.store.repository.reply_cache import CachedBlob, ReplyCache

ONE, OTHER = b"1" * 32, b"2" * 32
BLOB = CachedBlob("ab" * 20, "2027-01-15T08:00:00.123Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gitbackup" / "seen"


def test_what_was_added_is_known_the_next_time(path: Path) -> None:
    seen = ReplyCache(path)
    seen.add(ONE, BLOB)
    seen.add(OTHER, CachedBlob("cd" * 20, ""))
    seen.save()
    assert (ReplyCache(path).get(ONE), ReplyCache(path).get(OTHER)) == (
        BLOB,
        CachedBlob("cd" * 20, ""),
    )


def test_what_nobody_asked_for_is_forgotten(path: Path) -> None:
    first = ReplyCache(path)
    first.add(ONE, BLOB)
    first.add(OTHER, BLOB)
    first.save()
    second = ReplyCache(path)
    second.get(ONE)
    second.save()
    assert (ReplyCache(path).get(ONE), ReplyCache(path).get(OTHER)) == (BLOB, None)


@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
def test_a_damaged_file_is_no_file(path: Path, damage: str) -> None:
    seen = ReplyCache(path)
    seen.add(ONE, BLOB)
    seen.save()
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "changed":
        path.write_bytes(content.replace(b"\xab", b"\xac"))
    else:
        path.write_bytes(b"another\n" + content)
    assert ReplyCache(path).get(ONE) is None


def test_where_it_cannot_be_written_nothing_is_lost_but_time(path: Path) -> None:
    path.parent.write_text("a file where its folder would be")
    seen = ReplyCache(path)
    seen.add(ONE, BLOB)
    seen.save()
    assert ReplyCache(path).get(ONE) is None
