"""When two keys of a file tell alone where the bytes stand by which its folders are split."""

from __future__ import annotations

from random import Random

import pytest

from gitbackup.format import layout
from gitbackup.history.split_inference import Split, told_alone
from tests.servers import in_turn


def splits(*parts: tuple[str, bytes]) -> list[Split]:
    return [Split(folder, shared, ()) for folder, shared in parts]


NESTED = splits(("_/", b"user:"), ("_/4/", b"user:4"))


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ((b"user:480", b"user:489"), True),
        ((b"user:480", b"user:480"), True),
        ((b"user:8480", b"user:8489"), False),
        ((b"user:440", b"user:449"), False),
        ((b"nobody", b"nobody:4"), False),
        ((b"", b""), False),
    ],
)
def test_bytes_that_can_stand_in_one_place_only_tell_where_folders_are_split(
    keys: tuple[bytes, bytes], told: bool
) -> None:
    assert told_alone(NESTED, "_/4/8.json", len(b"user:"), keys) == told


def test_bytes_that_are_equal_tell_it_by_their_order() -> None:
    nested = splits(("_/", b"d:"), ("_/0/", b"d:0"), ("_/0/0/", b"d:00"))

    def told(first: bytes, last: bytes) -> bool:
        return told_alone(nested, "_/0/0/0.json", 2, (first, last))

    assert told(b"d:0001", b"d:0009") is True
    assert told(b"d:00001", b"d:00009") is False  # there is one more than is needed
    assert told(b"d:0001", b"d:0012") is False  # and one less


def test_a_range_of_several_bytes_may_be_that_of_two_others() -> None:
    wide = splits(("_/", b"s:"))

    assert told_alone(wide, "_/0-7.json", 2, (b"s:1x", b"s:6x")) is True
    assert told_alone(wide, "_/0-7.json", 2, (b"s:11", b"s:12")) is False


def test_the_key_that_the_others_begin_with_is_told_by_itself() -> None:
    assert told_alone(splits(("_/", b"s:a")), "_/_.json", 2, (b"s:a", b"s:a")) is True
    assert told_alone(splits(("_/", b"s:")), "_/_.json", 2, (b"s:a", b"s:a")) is False


@pytest.mark.parametrize("seed", in_turn(range(20)))
def test_no_other_layout_has_a_file_of_the_same_name_with_the_same_keys(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Where it is told alone: the folders of every layout that has the file share the same."""
    monkeypatch.setattr(layout, "LIMIT", 2)
    random, found = Random(seed), dict[tuple[str, bytes, bytes], set[tuple[int, ...]]]()
    told: set[tuple[str, bytes, bytes]] = set()
    for _ in range(150):
        keys = {bytes(random.choices(b"ab01", k=random.randint(1, 6))) for _ in range(12)}
        files = dict(layout.layout(sorted(keys)))
        for path, names in files.items():
            known = shared(files, path)
            case = (path, names[0], names[-1])
            found.setdefault(case, set()).add(tuple(len(each.shared) for each in known))
            if known and told_alone(known, path, 0, (names[0], names[-1])):
                told.add(case)
    assert {case: len(found[case]) for case in told} == dict.fromkeys(told, 1)
    assert len(told) > 100


def shared(files: dict[str, list[bytes]], path: str) -> list[Split]:
    """The folders on a file's way that are split, and what their keys share."""
    parts = path.split("/")
    folders = ["/".join(parts[:end]) + "/" for end in range(1, len(parts))]
    held = [
        sorted(name for other, names in files.items() if other.startswith(folder) for name in names)
        for folder in folders
    ]
    return [Split(f, layout.shared(h[0], h[-1]), ()) for f, h in zip(folders, held, strict=True)]
