"""Turn entries into the files of a snapshot, and back. Reading never depends on the layout.

A snapshot holds the manifest `gitbackup.json`; files of entries, which are all those below a
folder `dbN/` whose names end in `.json`; and libraries of Redis Functions as source, which are
all files directly in `functions/` whose names have one dot and end, after it, in an engine:
lower-case letters, digits or `_`, such as `lua`, but not `md`, `rst` or `txt`. Definitions of
search indexes are all files directly in `search/` whose names have one dot and end in `.index`. Any
other file is a person's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from gitbackup import kinds
from gitbackup.errors import Damaged, NewerFormat
from gitbackup.format import codec
from gitbackup.format.layout import alone_name, is_own, layout, own_file
from gitbackup.kinds import search_index
from gitbackup.kinds.canonical_check import are_plain
from gitbackup.model.keys import FORMAT, FUNCTIONS, SEARCH, Entry, Key, Scope
from gitbackup.snapshot.layout_diff import differing

MANIFEST = "gitbackup.json"
MOST_MANIFEST = 16 * 1024 * 1024
"""Bytes of a manifest, which holds a few patterns."""

LARGE = 1024 * 1024  # bytes of JSON: a larger entry has a file of its own
DATABASE = re.compile(r"db(0|[1-9][0-9]{0,9})/")
SOURCE = re.compile(r"functions/[^/.]+\.(?!(?:md|rst|txt)\Z)[a-z0-9_]+")
INDEX = re.compile(r"search/[^/.]+\.index")
LAST_DATABASE = 2**31 - 1  # no server can have one of a greater number
LIBRARY = re.compile(rb"""#!["']?(\w+)["']?[^\n]*?\s["']?name=["']?(\w+)""", re.IGNORECASE)
FLOATING = frozenset(name for name, kind in kinds.KINDS.items() if kind.floats)
FUNCTION = "function"  # the type of a library's entry
_OPEN, _BETWEEN, _CLOSE = b"{\n", b"\n  },\n", b"\n  }\n}\n"  # of a file with entries

Entries = dict[Key, Entry]


def manifest(scope: Scope) -> bytes:
    """Return the content of the manifest, which is constant for a given scope."""
    return codec.encode({"format": FORMAT, "scope": scope_object(scope)})


def scope_object(scope: Scope) -> dict[str, Any]:
    """Return the scope as a manifest holds it."""
    return {
        "databases": "all" if scope.databases is None else sorted(set(scope.databases)),
        "exclude": sorted({*map(codec.strict, scope.exclude)}),
        "functions": scope.functions,
        "include": sorted({*map(codec.strict, scope.include)}),
    }


def read_manifest(content: bytes) -> Scope:
    """Return the scope that a manifest has. Raises NewerFormat if its format is newer than ours,
    Damaged if it is not a manifest."""
    document = codec.decode(MANIFEST, content)
    version = document.get("format") if isinstance(document, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise NewerFormat(
            f"{MANIFEST}: the snapshot has format {version}, and this gitbackup reads"
            f" up to {FORMAT}; upgrade gitbackup"
        )
    try:
        if version == FORMAT and version is not True:
            return read_scope(document["scope"])
    except (KeyError, TypeError, ValueError):
        pass
    raise Damaged(f'{MANIFEST}: not a manifest such as {{"format": 1, "scope": {{...}}}}')


def read_scope(stored: dict[str, Any]) -> Scope:
    """Return the scope that `scope_object` made this of. Raises KeyError, TypeError or ValueError
    if it is not such an object."""
    databases, functions = stored["databases"], stored["functions"]
    if type(functions) is not bool:
        raise ValueError("functions must be true or false")
    return Scope(
        None if databases == "all" else tuple(map(_number, _array(databases))),
        tuple(map(_pattern, _array(stored["include"]))),
        tuple(map(_pattern, _array(stored["exclude"]))),
        functions,
    )


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not an array")
    return value


def _number(db: Any) -> int:
    if type(db) is not int or not 0 <= db <= LAST_DATABASE:
        raise ValueError("databases must be numbers")
    return db


def _pattern(value: Any) -> str:
    return codec.loose(codec.data(kinds.normal_text(value, "a pattern")))


def place_files(db: int, keys: Sequence[bytes]) -> Iterator[tuple[str, Sequence[bytes]]]:
    """Yield the path of each file, and the key names in it, for the sorted names of a database."""
    for path, names in layout(keys):
        yield f"db{db}/{path}.json", names


def differing_files(
    db: int, before: Sequence[bytes], after: Sequence[bytes], touched: Sequence[bytes]
) -> tuple[dict[str, Sequence[bytes]], dict[str, Sequence[bytes]]]:
    """Return the files that hold other names than before, or a touched one: as they were, and are.

    `touched` are, sorted, the names that are in only one of both lists, and any others.
    """
    old, new = differing(before, after, touched)
    return _below(db, old), _below(db, new)


def _below(db: int, files: Mapping[str, Sequence[bytes]]) -> dict[str, Sequence[bytes]]:
    return {f"db{db}/{path}.json": names for path, names in files.items()}


def encode_file(path: str, entries: Mapping[str, Entry]) -> list[tuple[str, bytes]]:
    """Return the file at `path`, and a file beside it for each entry over 1 MiB: path and content.

    `entries` are by loose name and may hold loose text.
    """
    return _files(path, entries, encode_loose, codec.raw)


def encode_canonical(path: str, entries: Mapping[str, Entry]) -> list[tuple[str, bytes]]:
    """Do as `encode_file` for entries whose names and text are under the text rule already."""
    return _files(path, entries, encode_stored, codec.data)


def _files(
    path: str,
    entries: Mapping[str, Entry],
    encode: Callable[[Mapping[str, Entry]], bytes],
    name_of: Callable[[str], bytes],
) -> list[tuple[str, bytes]]:
    together = encode(entries)
    if len(together) <= LARGE:
        return [(path, together)]
    if len(entries) == 1:
        return [(beside(path, name_of(*entries)), together)]
    del together  # it may be as large as anything
    files, rest = [], {}
    for name, entry in sorted(entries.items()):
        if len(alone := encode({name: entry})) > LARGE:
            files.append((beside(path, name_of(name)), alone))
        else:
            rest[name] = entry
    return [*files, (path, encode(rest))] if rest else files


def encode_entry(name: str, entry: Entry) -> bytes:
    """Return the content of a file that holds only this entry, under its stored name."""
    return codec.encode(_written({name: entry}))


def beside(path: str, key: bytes) -> str:
    """Return the path of the file that an entry over 1 MiB has instead of the one at `path`."""
    return own_file(path.removesuffix(".json"), key) + ".json"


def encode_loose(entries: Mapping[str, Entry]) -> bytes:
    """Return the canonical content of a file of entries as they are read, by loose name.

    The text rule is applied only if a text needs it: the encoder, in C, refuses such text.
    """
    try:
        content = codec.encode(_written(entries))
    except TypeError:
        return codec.encode(_written(canonical(entries)))
    if codec.MARK not in content:
        return content
    del content  # it may be large
    return codec.encode(_written(canonical(entries)))


def encode_stored(entries: Mapping[str, Entry]) -> bytes:
    """Return the canonical content of a file of entries as stored, under the text rule."""
    return codec.encode(_written(entries))


def _written(entries: Mapping[str, Entry]) -> Mapping[str, Any]:
    """Return the entries with all scores that JSON libraries write differently in our own form."""
    floating = {name: entry for name, entry in entries.items() if entry["type"] in FLOATING}
    odd = {
        name: {**entry, "value": written}
        for name, entry in floating.items()
        if (written := kinds.kind_of(entry).written(entry["value"])) is not entry["value"]
    }
    return {**entries, **odd} if odd else entries


def as_written(name: str, entry: Entry) -> Any:
    """Return an entry under the text rule as its file holds it, for `codec` to write."""
    return _written({name: entry})[name]


def canonical(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return entries, by loose name and with loose text, under the text rule."""
    return {codec.strict(name): kinds.canonical(entry) for name, entry in entries.items()}


def is_of_large(path: str) -> bool:
    """Return whether a file is the own one of an entry over 1 MiB, if gitbackup wrote it."""
    return is_own(path.removesuffix(".json"))


def library_file(name: str, engine: str) -> str:
    """Return the path of a function library's source."""
    return f"functions/{alone_name(name.encode())}.{engine.lower()}"


def index_file(name: str) -> str:
    """Return the path of a search index's definition."""
    return f"search/{alone_name(codec.data(name))}.index"


def library_header(source: bytes) -> tuple[str, str]:
    """Return a library's name and engine by its first line. Raises ValueError if it has none."""
    header = LIBRARY.match(source)
    if header is None:
        raise ValueError("does not begin like #!lua name=mylib")
    return header[2].decode(), header[1].decode()


def decode_file(path: str, content: bytes) -> dict[Key, Entry]:
    """Return the entries of one file of a snapshot; none for a file of another kind.

    Raises Damaged, naming file, line and key, if it is not well-formed.
    """
    if SOURCE.fullmatch(path):
        return _decode_library(path, content)
    if INDEX.fullmatch(path):
        return _decode_index(path, content)
    place = DATABASE.match(path)
    if place is None or not path.endswith(".json"):
        return {}
    db = int(place[1])
    plain = decode_plain(content)
    if plain is not None:
        return {Key(db, name): entry for name, entry in plain.items()}
    document = codec.decode(path, content)
    if not isinstance(document, dict):
        raise Damaged(f"{path}, line 1: not an object of keys and entries")
    found: dict[Key, Entry] = {}
    for name, entry in document.items():
        try:
            key = Key(db, kinds.normal_text(name, "the name"))
            if key in found:
                raise ValueError(f"duplicate key, also as {key.name!r}")
            found[key] = kinds.normal_entry(entry)
        except ValueError as error:
            line = codec.line_of(content, name)
            raise Damaged(f"{path}, line {line}: key {name!r}: {error}") from None
    return found


def decode_plain(content: bytes, made: bool = False) -> dict[str, Entry] | None:
    """Return a file's entries by name if all of it is canonical; None if that is not sure.

    `made` tells that gitbackup has made the file: that gives the same sooner.
    """
    document = codec.decode_plain(content, made)
    plain = type(document) is dict and are_plain(document.values(), made)
    return document if plain else None


def decode_versions(path: str, before: bytes, after: bytes) -> tuple[Entries, Entries]:
    """Return what `decode_file` does of two versions of a file, faster if they have much in common.

    Raises Damaged as it does, for the first that is not well-formed.
    """
    place = DATABASE.match(path)
    plain = decode_plain(before) if place and path.endswith(".json") else None
    if place is None or not plain:
        return decode_file(path, before), decode_file(path, after)
    db = int(place[1])
    old = {Key(db, name): entry for name, entry in plain.items()}
    return old, _decode_like(dict(zip(_parts(before), old.items(), strict=True)), path, after)


def _decode_like(known: Mapping[bytes, tuple[Key, Entry]], path: str, content: bytes) -> Entries:
    """Return a file's entries; those of `known`, by their canonical bytes, are not read again."""
    parts = _parts(content) if content.startswith(_OPEN) and content.endswith(_CLOSE) else []
    new = [part for part in parts if part not in known]
    if len(new) == len(parts):
        return decode_file(path, content)
    plain = decode_plain(_OPEN + _BETWEEN.join(new) + _CLOSE) if new else {}
    if plain is None or len(plain) != len(new):
        return decode_file(path, content)
    db = database_of(path)
    fresh = ((Key(db, name), entry) for name, entry in plain.items())
    found = [known[part] if part in known else next(fresh) for part in parts]
    if any(one.name >= other.name for (one, _), (other, _) in pairwise(found)):
        return decode_file(path, content)
    return dict(found)


def _parts(content: bytes) -> list[bytes]:
    """Return the bytes of each entry of a canonical file.

    A canonical text has no line break, so nothing else in it ends as an entry does.
    """
    return content[len(_OPEN) : -len(_CLOSE)].split(_BETWEEN)


def _decode_library(path: str, content: bytes) -> dict[Key, Entry]:
    try:
        name, _ = library_header(content)
    except ValueError as error:
        raise Damaged(f"{path}, line 1: {error}") from None
    source: Entry = {"type": FUNCTION, "value": codec.text(content)}
    return {Key(FUNCTIONS, name): source}


def _decode_index(path: str, content: bytes) -> dict[Key, Entry]:
    try:
        name = search_index.parse(content).name
    except ValueError as error:
        raise Damaged(f"{path}, {error}") from None
    definition: Entry = {"type": search_index.TYPE, "value": codec.text(content)}
    return {Key(SEARCH, codec.text(name)): definition}


def decode_all(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, dict[Key, Entry]]]:
    """Yield all files of one snapshot, each decoded when it is asked for.

    Raises Damaged if one is not well-formed, or where two hold the same key.
    """
    yield from without_doubles((path, decode_file(path, content)) for path, content in files)


def without_doubles(
    files: Iterable[tuple[str, dict[Key, Entry]]],
) -> Iterator[tuple[str, dict[Key, Entry]]]:
    """Yield the same files. Raises Damaged if two hold the same key."""
    seen: dict[Key, str] = {}
    for path, entries in files:
        for key in entries:
            if key in seen:
                raise Damaged(
                    f"{path}: key {key.name!r} is also in {seen[key]}; remove one of them"
                )
            seen[key] = path
        yield path, entries


def decode_own(path: str, content: bytes) -> dict[Key, Entry]:
    """Return the entries of a file that this run has encoded. Nothing is checked again."""
    place = DATABASE.match(path)
    if place is None:
        return decode_file(path, content)
    entries: dict[str, Entry] = codec.load(content)
    for entry in entries.values():
        if entry["type"] in FLOATING:  # its numbers alone may be read in more than one way
            entry["value"] = kinds.kind_of(entry).canonicalize(entry["value"])
    return {Key(int(place[1]), name): entry for name, entry in entries.items()}


def database_of(path: str) -> int:
    """Return the database whose entries a data file holds; FUNCTIONS for a library's source,
    SEARCH for a search index."""
    if INDEX.fullmatch(path):
        return SEARCH
    place = DATABASE.match(path)
    return FUNCTIONS if place is None else int(place[1])


def is_opaque(entry: Entry) -> bool:
    """Return whether it is stored as a dump, which only a server that knows its type can read."""
    return kinds.is_opaque(entry) and not is_source(entry)


def is_source(entry: Entry) -> bool:
    """Return whether it is a library of functions or a search index, whose value is a text."""
    return entry["type"] in (FUNCTION, search_index.TYPE)


def is_source_file(path: str) -> bool:
    """Return whether a file is a library of functions or a search index, which it is all of."""
    return bool(SOURCE.fullmatch(path) or INDEX.fullmatch(path))


def is_data(path: str) -> bool:
    """Return whether a snapshot's file is gitbackup's own; any other is a person's."""
    if path == MANIFEST or is_source_file(path):
        return True
    return DATABASE.match(path) is not None and path.endswith(".json")
