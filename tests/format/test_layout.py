import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.format import layout as module
from gitbackup.format.layout import LIMIT, layout, own_file
from gitbackup.snapshot.layout_diff import differing
from tests.laws import tried

Files = dict[str, Sequence[bytes]]

PORTABLE = re.compile(r"[A-Za-z0-9_~](?:[A-Za-z0-9._~-]*[A-Za-z0-9_~-])?")
DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def lay_out(keys: Sequence[bytes]) -> Files:
    pairs = list(layout(keys))
    files = dict(pairs)
    assert len(files) == len(pairs), "no path comes twice"
    return files


def folders(files: Files) -> dict[str, set[str]]:
    """The names in each directory, with `.json` where it is a file's."""
    found: dict[str, set[str]] = {}
    for path in files:
        parent, _, name = f"{path}.json".rpartition("/")
        while name not in found.setdefault(parent, set()):
            found[parent].add(name)
            parent, _, name = parent.rpartition("/") if parent else ("", "", name)
    return found


def check(keys: Sequence[bytes], limit: int = LIMIT, name: int = 65, path: int = 200) -> Files:
    """Everything that holds of any layout."""
    files = lay_out(keys)
    assert sorted(chain.from_iterable(files.values())) == list(keys)
    assert all(0 < len(content) <= limit for content in files.values())
    assert all(content == sorted(content) for content in files.values())
    for names in folders(files).values():
        bare = [each.removesuffix(".json") for each in names]
        assert len({each.casefold() for each in bare}) == len(names), "also file against directory"
        assert len(names) <= 1024
        for each in bare:
            assert PORTABLE.fullmatch(each)
            assert not DEVICE.fullmatch(each)
            assert not each.lower().endswith(".json")
            assert len(each) <= name
    assert all(len(each) <= path for each in files)
    return files


# --- a million names


@cache
def uuids(count: int, seed: int = 1) -> Sequence[bytes]:
    rng = random.Random(seed)
    digits = (b"%032x" % rng.getrandbits(128) for _ in range(count))
    return [b"%b-%b-%b-%b-%b" % (h[:8], h[8:12], h[12:16], h[16:20], h[20:]) for h in digits]


def tokens(count: int) -> Iterator[bytes]:
    rng = random.Random(2)
    letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return (bytes(rng.choices(letters, k=12)) for _ in range(count))


def application() -> Iterator[bytes]:
    """The mix of a real application, larger."""
    for user in uuids(2_700):
        for day in range(365):
            yield b"usage:daily:%b:2026-%02d-%02d" % (user, day // 31 + 1, day % 31 + 1)
    yield from (b"apikey:%b" % key for key in uuids(10_000, seed=3))
    yield from (b"config:%d" % i for i in range(9))


MILLION = {
    "uuids": lambda: uuids(1_000_000),
    "ids": lambda: (b"user:%d" % i for i in range(1_000_000)),
    "nested": lambda: (b"a%d:b%d:c%d:%d" % (i % 7, i % 61, i % 1009, i) for i in range(1_000_000)),
    "no separator": lambda: (b"k%d" % i for i in range(1_000_000, 2_000_000)),
    "one namespace": lambda: (b"session:%b" % key for key in uuids(1_000_000)),
    "tokens": lambda: tokens(300_000),
    "50,000 tenants": lambda: (b"tenant:%d:%d" % (i // 20, i) for i in range(1_000_000)),
    "1,900 tenants": lambda: (b"tenant:%d:%d" % (i // 526, i) for i in range(1_900 * 526)),
    "application": application,
}


@pytest.mark.long
@pytest.mark.parametrize("shape", MILLION)
def test_a_million_names(shape: str) -> None:
    """No file and no directory is ever large, and every key is in one file."""
    check(sorted(MILLION[shape]()), path=60)


def test_a_directory_holds_a_thousand_places_at_most() -> None:
    """512 * 1023 keys in namespaces of 512: as many as there can be, and the rest."""
    keys = sorted(b"t%d:%d" % (i // 512, i) for i in range(512 * 1024 + 511))
    assert len(folders(check(keys))[""]) <= 1024
    keys = sorted(b"t%d:%d" % (i // 16, i) for i in range(16 * 1023))
    assert len(folders(check(keys))[""]) == 1023


# --- adversaries


def test_namespaces_nested_without_end() -> None:
    """Over 128 keys on each of 300 levels, and all of them in chains of 3,000 colons."""
    keys = [b"a:" * level + b"%d" % i for level in range(300) for i in range(20)]
    check(sorted(keys))
    files = check(sorted(b"b:" * 3_000 + b"%d" % i for i in range(10_000)))
    assert max(path.count("/") for path in files) < 60


def test_long_names_nested() -> None:
    """The directory that is too deep is split by hash, wherever its path comes from."""
    long = [b"x" * 36, b"\xff" * 99, b"Y" * 40, b"z " * 50]
    for parts in (long, long[::-1], long * 30):
        check(sorted(b":".join(parts) + b":%d" % i for i in range(10_000)))


def test_a_comb() -> None:
    """Each further byte leaves one key behind, 20,000 times: byte splits alone never end."""
    check([b"c" * size for size in range(20_000)])


def test_long_keys_that_share_all_but_the_end() -> None:
    """Prefixes of 100,000 bytes cost no depth."""
    files = check([b"p" * 100_000 + b"%03d" % i for i in range(999)])
    assert set(files) == {f"_/{a}" for a in "0123456789"}


def test_hash_collision_of_siblings() -> None:
    """Two slugs that are equal, 32 bits of hash and all, are told apart."""
    twins = [b"(&$%(", b"%(&%!#"]
    assert len({sha256(each + b":").hexdigest()[:8] for each in twins}) == 1
    files = check(sorted(b"%b:%02d" % (each, i) for each in twins for i in range(16)))
    assert set(files) == {"~" + sha256(each + b":").hexdigest() for each in twins}


# --- locality


def changed(before: Files, after: Files) -> set[str]:
    paths = before.keys() | after.keys()
    return {path for path in paths if before.get(path) != after.get(path)}


GROWING = {
    "uuids": lambda: uuids(5_000),
    "ids": lambda: (b"user:%d" % i for i in range(5_000)),
    "users": lambda: (b"u:%d:%d" % (i % 150, i) for i in range(5_000)),
    "tokens": lambda: tokens(5_000),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("shape", GROWING)
def test_one_key_touches_a_handful_of_files(shape: str) -> None:
    """One file, but where a file is split (into up to 16) or a place is born."""
    keys = list(dict.fromkeys(GROWING[shape]()))
    random.Random(4).shuffle(keys)
    sizes = []
    before = lay_out(sorted(keys[:-200]))
    for count in range(len(keys) - 199, len(keys) + 1):
        after = lay_out(sorted(keys[:count]))
        touched = changed(before, after)
        sizes.append(len(touched))
        moved = set(chain.from_iterable(before.get(path, ()) for path in touched))
        assert len(moved) <= 2 * LIMIT
        before = after
    assert sizes.count(1) > 180
    assert max(sizes) <= 18


def test_removing_a_key_undoes_adding_it() -> None:
    """There is no history in a layout: any way to the same set gives the same files."""
    keys = sorted(uuids(3_000))
    before = lay_out(keys)
    for extra in uuids(20, seed=9):
        lay_out(sorted([*keys, extra]))
    rng = random.Random(5)
    rng.shuffle(keys)
    assert lay_out(sorted(keys)) == before


# --- any keys at all

PIECES = [b"", b"a", b"A", b"b", b"_", b"con", b"CON", b"con.txt", b".git", b"a.json", b"a.JSON"]
PIECES += [b"\x00", b"\xff", b"\xff\xff", b"/", b"\\", b"..", b"-", b"~1", b"\xc3\xa9", b"x" * 61]
names = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)), max_size=6)
any_keys = st.lists(
    st.one_of(names.map(b":".join), names.map(b"".join), st.binary(max_size=12)), unique=True
).map(sorted)


@contextmanager
def small(limit: int, fewest: int, deep: int) -> Iterator[None]:
    """Limits so low that a few keys meet every rule."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LIMIT", limit)
        patch.setattr(module, "_FEWEST", fewest)
        patch.setattr(module, "DEEP", deep)
        yield


@pytest.mark.long
@tried(400, derandomize=True)
@given(any_keys, st.integers(1, 4), st.integers(1, 3), st.integers(0, 40))
def test_any_keys(keys: list[bytes], limit: int, fewest: int, deep: int) -> None:
    with small(limit, fewest, deep):
        check(keys, limit)


@pytest.mark.long
@tried(400, derandomize=True)
@given(any_keys, any_keys, any_keys, st.integers(1, 4), st.integers(1, 3), st.integers(0, 40))
def test_what_differs_is_what_two_layouts_have_not_in_common(
    both: list[bytes], come: list[bytes], gone: list[bytes], limit: int, fewest: int, deep: int
) -> None:
    """And in any case the files that hold what was touched."""
    before, after = sorted({*both, *gone}), sorted({*both, *come})
    touched = sorted({*come, *gone})
    with small(limit, fewest, deep):
        found = differing(before, after, touched)
        whole = lay_out(before), lay_out(after)
    old, new = ({path: [*names] for path, names in files.items()} for files in found)
    assert old.items() <= whole[0].items()
    assert new.items() <= whole[1].items()
    wanted = changed(*whole) | {
        path for files in whole for path, names in files.items() if {*names} & {*touched}
    }
    assert wanted <= old.keys() | new.keys()
    untouched = {path: names for path, names in whole[0].items() if path not in old}
    assert whole[1] == {**untouched, **new}


@pytest.mark.parametrize("shape", GROWING)
def test_what_differs_where_one_key_came_or_was_touched(shape: str) -> None:
    keys = sorted(set(GROWING[shape]()))
    for name in random.Random(4).sample(keys, 50):
        without = [key for key in keys if key != name]
        before, after = lay_out(without), lay_out(keys)
        old, new = differing(without, keys, [name])
        assert changed(before, after) == {
            path for path in old.keys() | new.keys() if before.get(path) != after.get(path)
        }
        assert len(old.keys() | new.keys()) <= 2 * len(changed(before, after)) + 2
        old, new = differing(keys, keys, [name])
        assert [*old] == [*new] == [path for path, names in after.items() if name in names]


@tried(100, derandomize=True)
@given(any_keys, st.integers(1, 4), st.integers(0, 40))
def test_prefixes_of_a_directory_hold_together(keys: list[bytes], fewest: int, deep: int) -> None:
    """The places found by looking at few keys are those that counting them all finds."""
    with small(2, fewest, deep):
        found = {keys[start][:end]: stop - start for start, stop, end in module._places(keys, 0)}
    counts = Counter(key[: key.index(b":") + 1] for key in keys if b":" in key)
    assert found == {prefix: count for prefix, count in counts.items() if count >= fewest}


def test_no_keys() -> None:
    assert lay_out([]) == {}


def test_the_empty_key() -> None:
    assert lay_out([b""]) == {"_": [b""]}


# --- the format: these examples must hold for ever

NAMES = {
    "usage": "usage",
    "api-key": "api-key",
    "api_key": "api_key",
    "v1.2": "v1.2",
    "7": "7",
    "DB.JSON2": "DB.JSON2",
    "console": "console",
    "COM10": "COM10",
    "x" * 40: "x" * 40,
    "x" * 41: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~3b192a20",
    "": "~e7ac0786",
    "_": "~aea0c55a",
    "_x": "x~99c8eddd",
    "x_": "x~6d23e1a9",
    "-x": "x~cb0b6a62",
    "x-": "x~0a9a768d",
    ".git": "git~73030e27",
    "x.": "x~3680211f",
    "git~1": "git-1~d600871a",
    "db.json": "db-json~e0aa128c",
    "a.Json": "a-Json~248fa904",
    "con": "con~f45ba2ff",
    "CON.txt": "CON-txt~577c2016",
    "com1": "com1~cc053187",
    "lpt0.a.b": "lpt0-a-b~7aae92ca",
    "Foo": "Foo~551f0e50",
    "foo": "foo~c5fe91c8",
    "bar/baz": "bar-baz~6b22d7dd",
    "été": "t~2e38a7ef",
    "日本": "~28af941b",
    "{tag}": "tag~4fb3f2b9",
    "user@example.com": "user-example-com~fe075d3a",
}


def test_names_of_places() -> None:
    files = check(sorted(f"{name}:{i:02}".encode() for name in NAMES for i in range(16)))
    found = {keys[0].rpartition(b":")[0].decode(): path for path, keys in files.items()}
    assert found == NAMES


def shown(keys: Sequence[bytes]) -> dict[str, tuple[int, bytes, bytes]]:
    """Each file, the number of its keys, the first and the last."""
    return {path: (len(held), held[0], held[-1]) for path, held in check(sorted(keys)).items()}


def test_a_small_database() -> None:
    """The root is a directory, its namespaces of 16 keys or more are files."""
    keys = [b"apikey:%02d" % i for i in range(16)] + [b"few:%02d" % i for i in range(15)]
    assert shown([*keys, b"apikey", b"x"]) == {
        "apikey": (16, b"apikey:00", b"apikey:15"),
        "_": (17, b"apikey", b"x"),
    }


def test_a_place_of_128_keys_is_a_file_and_of_129_a_directory() -> None:
    keys = [b"usage:daily:%03d" % i for i in range(112)] + [b"usage:%02d" % i for i in range(16)]
    assert shown(keys) == {"usage": (128, b"usage:00", b"usage:daily:111")}
    assert shown([*keys, b"usage:"]) == {
        "usage/daily": (112, b"usage:daily:000", b"usage:daily:111"),
        "usage/_": (17, b"usage:", b"usage:15"),
    }


def test_a_rest_is_split_by_the_byte_after_what_all_share() -> None:
    keys = [b"s:id%03x" % (i * 2) for i in range(0x80, 0x189)] + [b"s:id", b"s:id3"]
    keys += [b"s:idA", b"s:ida", b"s:id-", b"s:id\xff1", b"s:id\xff2"]
    assert shown(keys) == {
        "s/_/_": (1, b"s:id", b"s:id"),
        "s/_/20-2f": (1, b"s:id-", b"s:id-"),
        "s/_/0-1": (128, b"s:id100", b"s:id1fe"),
        "s/_/2": (128, b"s:id200", b"s:id2fe"),
        "s/_/3": (10, b"s:id3", b"s:id310"),
        "s/_/a-z": (2, b"s:idA", b"s:ida"),
        "s/_/80-ff": (2, b"s:id\xff1", b"s:id\xff2"),
    }
    more = shown([*keys, b"s:id1f", b"s:id1"])
    assert more["s/_/1/_"] == (1, b"s:id1", b"s:id1")
    assert more["s/_/1/0-9"] == (80, b"s:id100", b"s:id19e")
    assert more["s/_/1/a-z"] == (49, b"s:id1a0", b"s:id1fe")


def test_a_range_of_bytes_is_halved_until_it_fits() -> None:
    keys = [bytes((byte, i)) for byte in b"-.AOao\xf0\xff" for i in range(64)]
    assert set(shown(keys)) == {"_/0-9", "_/40-5f", "_/a-z", "_/80-ff"}
    more = [bytes((byte, 200)) for byte in b"-Aa\xff"]
    both = {"_/2c-2d", "_/2e-2f", "_/40-47", "_/48-4f", "_/a-g", "_/h-o", "_/f0-f7", "_/f8-ff"}
    assert set(shown(keys + more)) == both


def test_a_range_of_all_bytes_is_a_file_where_it_fits() -> None:
    keys = [b"a", *(b"a%03d" % n for n in range(LIMIT))]
    assert [(path, len(group)) for path, group in layout(keys)] == [("_/_", 1), ("_/0-z", LIMIT)]


def test_a_single_byte_is_named_so_that_case_never_matters() -> None:
    keys = [bytes((byte, i)) for byte in b"*7Aa\xff" for i in range(129)]
    assert {path.split("/")[1] for path in shown(keys)} == {"2a", "7", "A-", "a", "ff"}


def test_what_a_group_shares_is_left_out_of_its_path() -> None:
    keys = [b"ab%03d" % i for i in range(300)] + [b"b"]
    assert shown(keys) == {
        "_/a/0": (100, b"ab000", b"ab099"),
        "_/a/1": (100, b"ab100", b"ab199"),
        "_/a/2-3": (100, b"ab200", b"ab299"),
        "_/b-c": (1, b"b", b"b"),
    }


def test_the_least_size_of_a_place_grows_with_its_parent() -> None:
    """16 keys make a place below 16,384; from there 32 do, and from 32,768 on 64."""
    small = [b"small:%02d" % i for i in range(16)]
    assert "small" in lay_out(sorted([*small, *(b"x:%d" % i for i in range(16_367))]))
    assert "small" not in lay_out(sorted([*small, *(b"x:%d" % i for i in range(16_368))]))
    small = [b"small:%02d" % i for i in range(63)]
    assert "small" in lay_out(sorted([*small, *(b"x:%d" % i for i in range(32_704))]))
    assert "small" not in lay_out(sorted([*small, *(b"x:%d" % i for i in range(32_705))]))


def test_a_directory_too_deep_is_split_by_hash() -> None:
    """A place of 100 characters is still split as usual, but its rest, at 102, is not."""
    for last, expected in ((b"c" * 24, "/_/0"), (b"c" * 25, "/0")):
        place = b":".join([b"a" * 36, b"b" * 38, last])
        files = check(sorted(b"%b:%04d" % (place, i) for i in range(2_100)))
        top = place.decode().replace(":", "/")
        assert next(iter(files)).startswith(top + expected)
    for path, keys in files.items():
        digits = path.removeprefix(top).replace("/", "")
        assert all(sha256(key).hexdigest().startswith(digits) for key in keys)
    assert {path.count("/") for path in files} == {3, 4}


def test_own_file() -> None:
    """Beside the file that the entry would be in, under a name that nothing else has."""
    day = b"usage:daily:2026-11-22"
    assert own_file("usage/daily", day) == "usage/2026-11-22~35dfea4149d90fa15b87e2d8d61cc8a1"
    assert own_file("_", b"big") == "big~2a21fe6d592a19b7de898b50eb53c429"
    assert own_file("_/3/f", b"a:b:") == "_/3/~b8c7be730d1e6b221795783d2d45e151"
    assert own_file("a/_", b"") == "a/~e3b0c44298fc1c149afbf4c8996fb924"
    assert own_file("a/b", b"x:\xff\x00 y") == "a/y~979b920394bd053b3e06353ecd0b8c6f"
    assert len(own_file("_", b"x" * 100_000)) == 63
