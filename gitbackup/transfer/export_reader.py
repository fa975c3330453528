"""Read a file to import: an export of ours, as one document or an entry a line, or a dump."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from gitbackup import wording
from gitbackup.errors import Damaged, UsageError
from gitbackup.format import codec
from gitbackup.model.keys import PLACES
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool
from gitbackup.system import available_memory
from gitbackup.transfer.entries import EntriesToImport
from gitbackup.transfer.formats import SCHEMA
from gitbackup.transfer.redis_dump import (
    SCOPE,
    Conversion,
    decode_infinite,
    expect_encoding,
    is_ambiguous,
    is_dump,
    recoded,
)

FACTS = {"schema", "commit", "patterns", "redacted", "scope", "taken_at"}
PARTS = {"databases", "libraries"}
UTF_8 = "utf-8"
RESP = "these are commands for redis-cli --pipe, which restores them"
NEITHER = "neither a gitbackup export (json or jsonl) nor a dump of redis-dump or redis-dump-load"


def read(
    file: BinaryIO, name: str, now: int, spool: Spool, encoding: str | None = None
) -> EntriesToImport:
    """Read a whole file, called `name` in messages, and check it.

    A byte order mark at its beginning, as editors on Windows put it, is left out. `now`, in
    milliseconds since 1970, is the time of a file that does not tell its own. `encoding` is how
    another tool decoded the server's bytes. Raises UsageError, naming line and key, for what cannot
    be read as it stands; also if `encoding` is None and the text of the file could be in two
    encodings.
    """
    if encoding is not None:
        expect_encoding(encoding)
    first = file.readline(available_memory.PIECE).removeprefix(codecs.BOM_UTF8)
    if not first.endswith(b"\n"):  # an entry a line begins with a short one
        first += available_memory.whole(file, name)
    if first.startswith(b"*"):
        raise UsageError(f"{name}: {RESP}")
    header = _header(first)
    if header is not None:
        _expect_no_encoding(name, encoding)
        return _read_lines(name, header, file, spool)
    content = first + available_memory.whole(file, name)
    document = _document(name, content)
    if is_dump(document):
        if encoding is None and is_ambiguous(document):
            given = wording.option("--encoding")
            raise UsageError(
                f"{name}: the encoding is not known, and all text beyond ASCII could be"
                " what redis-dump-load -E iso-8859-1 writes: import it with"
                f" {given} iso-8859-1 if it was made like that, otherwise with {given} utf-8"
            )
        return _read_dump(name, content, document, now, spool, encoding or UTF_8)
    _expect_no_encoding(name, encoding)
    if not _is_ours(document):
        raise UsageError(f"{name}, line 1: {NEITHER}")
    return _read_document(name, content, document, spool)


def _is_ours(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("schema"), str)


def _header(line: bytes) -> dict[str, Any] | None:
    """Return the first line of an export that has an entry a line; None for anything else."""
    try:
        document = codec.load(line)
    except ValueError:
        return None
    return document if _is_ours(document) and not document.keys() & PARTS else None


def _document(name: str, content: bytes) -> Any:
    try:
        return codec.decode(name, content)
    except Damaged as damaged:
        if b"Infinity" not in content:
            raise UsageError(str(damaged)) from None
    try:
        return decode_infinite(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}, line {getattr(error, 'lineno', 1)}: {error}") from None


def _expect_no_encoding(name: str, encoding: str | None) -> None:
    if encoding is not None:
        given = wording.option("--encoding")
        raise UsageError(f"{name}: {given} is only for dumps of other tools; this is not one")


def _read_dump(
    name: str, content: bytes, document: dict[str, Any], now: int, spool: Spool, encoding: str
) -> EntriesToImport:
    """Read another tool's dump. Keys without a value come first: they make the rest doubtful."""
    conversion = Conversion(now)
    dump = EntriesToImport(spool, SCOPE, now)
    for key, item in sorted(document.items(), key=lambda pair: "value" in pair[1]):
        with _naming(name, key, content):
            recoded_item = item
            if encoding != UTF_8:
                recoded_item = (
                    {**item, "value": recoded(item["value"], encoding)} if "value" in item else item
                )
                key = recoded(key, encoding)
            dump.add(0, codec.strict(key), conversion.entry(recoded_item))
    dump.placed, dump.taken_at = False, conversion.taken_at
    dump.warnings += conversion.warnings()
    return dump


def _read_document(
    name: str, content: bytes, document: dict[str, Any], spool: Spool
) -> EntriesToImport:
    """Read an export that is one document."""
    dump = _begin(name, document, PARTS, spool)
    databases = _object(name, document, "databases")
    for number in databases:
        db = _database(name, number)
        for key, entry in _object(name, databases, number).items():
            with _naming(name, key, content):
                dump.add(db, key, entry)
    for key, source in _object(name, document, "libraries").items():
        with _naming(name, key, content):
            dump.add_library(key, source)
    for key, text in _object(name, {"indexes": {}, **document}, "indexes").items():
        with _naming(name, key, content):
            dump.add_index(key, text)
    return dump


def _read_lines(name: str, header: dict[str, Any], file: BinaryIO, spool: Spool) -> EntriesToImport:
    """Read an export that has an entry a line; its header tells how many."""
    dump = _begin(name, header, {"entries"}, spool)
    at = 1
    for at, line in enumerate(iter(lambda: available_memory.line(file, name), b""), 2):
        document = _line(f"{name}, line {at}", line)
        key = document["key"]
        with _naming(name, key, line, at):
            if "functions" in document:
                dump.add_library(key, _source(document["entry"]))
            elif "search" in document:
                dump.add_index(key, _source(document["entry"]))
            else:
                dump.add(_number(document["db"]), key, document["entry"])
    if at - 1 != header["entries"]:
        raise UsageError(
            f"{name}, line 1: it announces {header['entries']} entries, but {at - 1}"
            " follow: the file was cut off, or joined from several; if that is"
            " intended, correct the number"
        )
    return dump


def _begin(name: str, facts: dict[str, Any], parts: set[str], spool: Spool) -> EntriesToImport:
    """Return the entries to import, none yet, by what the file tells of itself.

    It has to have its facts and `parts`, and may have indexes.
    """
    where = f"{name}, line 1"
    if facts["schema"] != SCHEMA:
        raise UsageError(f"{where}: the schema is {facts['schema']!r}, but must be {SCHEMA!r}")
    if missing := (FACTS | parts) - facts.keys():
        raise UsageError(f"{where}: the export lacks {min(missing)!r}")
    if unknown := facts.keys() - FACTS - parts - {"indexes"}:
        raise UsageError(f"{where}: the export has an unknown member {min(unknown)!r}")
    if facts["redacted"]:
        raise UsageError(
            f"{where}: the export is redacted, so values are missing: export it again"
            f" without {wording.option('--redact')}"
        )
    try:
        scope = file_format.read_scope(facts["scope"])
        patterns = [codec.loose(codec.data(pattern)) for pattern in facts["patterns"]]
        return EntriesToImport(spool, scope, codec.milliseconds(facts["taken_at"]), patterns)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UsageError(f"{where}: the header of the export was changed") from None


def _object(name: str, document: dict[str, Any], member: str) -> dict[str, Any]:
    value: dict[str, Any] = document[member]
    if not isinstance(value, dict):
        raise UsageError(f"{name}: {member!r} is not an object")
    return value


def _database(name: str, number: str) -> int:
    try:
        if number == str(int(number)):
            return _number(int(number))
    except ValueError:
        pass
    raise UsageError(f"{name}: {number!r} is not the number of a database")


def _number(db: Any) -> int:
    if type(db) is not int or not 0 <= db <= file_format.LAST_DATABASE:
        raise ValueError(f"{db!r} is not the number of a database")
    return db


def _line(where: str, line: bytes) -> dict[str, Any]:
    """Return the object on a line, which has the members of an entry."""
    try:
        document = codec.decode_line(line)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    places = [{"schema", "key", "entry", place} for place in ("db", *PLACES.values())]
    if not isinstance(document, dict) or document.keys() not in places:
        raise UsageError(f"{where}: not an entry of an export: it needs db, key and entry")
    if document["schema"] != SCHEMA or not isinstance(document["key"], str):
        raise UsageError(f"{where}: not an entry of {SCHEMA}")
    return document


def _source(entry: Any) -> Any:
    if not isinstance(entry, dict) or entry.keys() != {"type", "value"}:
        raise ValueError("not the entry of a library or an index")
    return entry["value"]


@contextmanager
def _naming(name: str, key: str, content: bytes, line: int = 0) -> Iterator[None]:
    """Raise UsageError for a ValueError, with the key, and the line on which it stands."""
    try:
        yield
    except ValueError as error:
        at = line or codec.line_of(content, key)
        raise UsageError(f"{name}, line {at}: key {key!r}: {error}") from None
