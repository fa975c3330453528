"""Search indexes of the module RediSearch: the commands that make one again, as text.

A definition is what FT.INFO and FT.SYNDUMP say of an index. Its text is one FT.CREATE, each part of
it on a line of its own, and an FT.SYNUPDATE for each group of synonyms. The same definition has
always the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import Command, mapping

TYPE = "search-index"
"""The type of an index's entry."""

KNOWN_BY = "FT.CREATE"
CREATE, SYNONYMS = "FT.CREATE", "FT.SYNUPDATE"
Words = tuple[bytes, ...]

MANY_TEXTS = 32
"""Fields of text from which on MAXTEXTFIELDS is implied."""

CRASHES = "RediSearch crashes when it indexes a key by NOFIELDS together with MAXTEXTFIELDS"
_INDENT = "  "
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"\'\\]+)')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|(.))", re.DOTALL)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNESCAPED = {written[1]: char for char, written in _ESCAPES.items()}
_OPTIONS = ("MAXTEXTFIELDS", "NOOFFSETS", "NOHL", "NOFIELDS", "NOFREQS")
_ABOUT = {
    "default_language": "LANGUAGE",
    "language_field": "LANGUAGE_FIELD",
    "default_score": "SCORE",
    "score_field": "SCORE_FIELD",
    "payload_field": "PAYLOAD_FIELD",
}
"""Members of FT.INFO's index_definition, and the words of FT.CREATE that set them."""

_VALUED = {
    *("identifier", "attribute", "type", "WEIGHT", "SEPARATOR", "coord_system", "algorithm"),
    *("data_type", "dim", "distance_metric", "M", "ef_construction", "ef_runtime", "epsilon"),
    *("initial_cap", "block_size"),
}
"""What a field of FT.INFO has a value for; anything else there is a flag."""

_FLAGS = ("NOSTEM", "CASESENSITIVE", "WITHSUFFIXTRIE", "INDEXEMPTY", "INDEXMISSING", "SORTABLE")
_LAST_FLAGS = ("UNF", "NOINDEX")  # in the order in which FT.CREATE takes them
_VECTOR = {
    "data_type": "TYPE",
    "dim": "DIM",
    "distance_metric": "DISTANCE_METRIC",
    "M": "M",
    "ef_construction": "EF_CONSTRUCTION",
    "ef_runtime": "EF_RUNTIME",
    "epsilon": "EPSILON",
    "initial_cap": "INITIAL_CAP",
    "block_size": "BLOCK_SIZE",
}
_TYPES = {
    "TEXT": {"WEIGHT"},
    "TAG": {"SEPARATOR"},
    "NUMERIC": set[str](),
    "GEO": set[str](),
    "GEOSHAPE": {"coord_system"},
    "VECTOR": {"algorithm", *_VECTOR},
}
"""The types of fields that are known, and the values that each may have."""

_ALGORITHMS = {
    "FLAT": {"data_type", "dim", "distance_metric"},
    "HNSW": {"data_type", "dim", "distance_metric", "M", "ef_construction"},
}
"""The values that FT.CREATE cannot do without, or that change what is found."""

_WORDS = ("gitbackup", "hello", "restore", "database")
"""Words of which one is no stop word, to ask whether a field is searched by its sound."""

_SOUND = re.compile(r"^\s*(?:@.*:)?<\w*\(expanded\)$", re.MULTILINE)


class Untold(Exception):
    """The server does not say enough of an index to make it again; the text says what it lacks."""


class AskFields(Exception):
    """Some fields of an index are searched by the sound of words: `ask` about these `names`."""

    def __init__(self, names: Sequence[bytes]) -> None:
        super().__init__("which fields have PHONETIC has to be asked")
        self.names = names


@dataclass(frozen=True, slots=True)
class Definition:
    """An index: its name, the parts of its FT.CREATE, its fields, and its groups of synonyms."""

    name: bytes
    parts: tuple[Words, ...]
    fields: tuple[Words, ...]
    synonyms: tuple[Words, ...] = ()

    @property
    def text(self) -> bytes:
        """Return the definition as a snapshot stores it."""
        lines = [_line(CREATE.encode(), self.name)]
        lines += [_INDENT + _line(*part) for part in (*self.parts, (b"SCHEMA",), *self.fields)]
        lines += [_line(SYNONYMS.encode(), self.name, *group) for group in self.synonyms]
        return "".join(f"{line}\n" for line in lines).encode()

    @property
    def crashes(self) -> bool:
        """Return whether RediSearch crashes when it indexes a key by this definition."""
        texts = sum(b"TEXT" in field for field in self.fields)
        many = (b"MAXTEXTFIELDS",) in self.parts or texts > MANY_TEXTS
        return many and (b"NOFIELDS",) in self.parts

    @property
    def texts(self) -> list[bytes]:
        """Return the names of the fields of text, if several have to be asked about."""
        names = [
            field[2 if field[1] == b"AS" else 0] for field in self.fields if b"TEXT" in field[1:4]
        ]
        sounds = any(b"PHONETIC" in field for field in self.fields)
        return names if sounds and len(names) > 1 else []

    def create(self) -> list[Command]:
        """Return the commands that make the index and its synonyms."""
        words = [word for part in (*self.parts, (b"SCHEMA",), *self.fields) for word in part]
        return [(CREATE, self.name, *words), *self._update(())]

    def change(self, before: Definition) -> list[Command] | None:
        """Return the commands that make the index `before` this one, without creating it anew; None
        if there are none: fields and synonyms can be added, and nothing can be removed."""
        kept = len(before.fields)
        known = {group[0]: {*group} for group in before.synonyms}
        groups = {group[0]: {*group} for group in self.synonyms}
        if self.parts != before.parts or self.fields[:kept] != before.fields:
            return None
        if any(not terms <= groups.get(name, set()) for name, terms in known.items()):
            return None
        adding: list[Command] = [
            ("FT.ALTER", self.name, "SCHEMA", "ADD", *field) for field in self.fields[kept:]
        ]
        return adding + self._update(before.synonyms)

    def _update(self, known: Sequence[Words]) -> list[Command]:
        return [(SYNONYMS, self.name, *group) for group in self.synonyms if group not in known]


def drop(name: bytes) -> Command:
    """Return the command that deletes an index. It leaves the keys that it is about alone."""
    return "FT.DROPINDEX", name


def ask(name: bytes, texts: Sequence[bytes] = ()) -> list[Command]:
    """Return what to ask of an index, and of its fields `texts`; `told` takes the replies."""
    queries = [*map(str.encode, _WORDS), *map(_spoken, texts)]
    explain = (("FT.EXPLAIN", name, query, "DIALECT", 2) for query in queries)
    return [("FT.INFO", name), ("FT.SYNDUMP", name), *explain]


def _spoken(field: bytes) -> bytes:
    """Return a query for words in a field."""
    name = b"".join(
        bytes([byte]) if byte > 0x7F or chr(byte).isalnum() else b"\\%c" % byte for byte in field
    )
    return b"@%b:(%b)" % (name, " ".join(_WORDS).encode())


def told(name: bytes, replies: Sequence[Any], texts: Sequence[bytes] = ()) -> Definition:
    """Return the definition that the replies to `ask` tell.

    Raises Untold if they tell none, and AskFields if `texts` have to be asked about.
    """
    info = mapping(replies[0])
    about = mapping(info["index_definition"])
    fields = [_field(each) for each in info["attributes"]]
    stop_words = info.get("stopwords_list")
    parts = [
        *_about(about),
        *_options(info.get("index_options") or ()),
        *([_counted("STOPWORDS", sorted(map(_raw, stop_words)))] if stop_words is not None else []),
    ]
    sounds = _sounding(fields, replies[2:], texts)
    json = str(about.get("key_type")).upper() == "JSON"
    written = [_written(field, json, _raw(field["attribute"]) in sounds) for field in fields]
    synonyms = tuple(_synonyms(mapping(replies[1])))
    definition = Definition(name, tuple(parts), tuple(written), synonyms)
    if definition.crashes:
        raise Untold(CRASHES)
    return definition


def lacks_search_options(definition: Definition) -> bool:
    """Return whether it has a vector field of which the server does not tell how wide a search of
    its graph is."""
    return any(b"HNSW" in field and b"EF_RUNTIME" not in field for field in definition.fields)


def parse(content: bytes) -> Definition:
    """Return the definition that a text is of. Raises ValueError if it is not one, or is not
    written as `Definition.text` is."""
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError:
        raise ValueError("line 1: not UTF-8") from None
    first, *more = [(line.startswith(_INDENT), _words(line)) for line in lines[:-1]] or [(True, ())]
    indented, head = first
    if indented or head[:1] != (CREATE.encode(),) or len(head) != 2:
        raise ValueError(f"line 1: not {CREATE} and the name of an index")
    inside = [words for within, words in more if within]
    synonyms = [words for within, words in more if not within]
    schema = inside.index((b"SCHEMA",)) if (b"SCHEMA",) in inside else len(inside)
    definition = Definition(
        head[1],
        tuple(inside[:schema]),
        tuple(inside[schema + 1 :]),
        tuple(words[2:] for words in synonyms),
    )
    due = definition.text
    if content != due or not definition.fields:
        pairs = zip(content.split(b"\n"), due.split(b"\n"), strict=False)
        at = next((at for at, (line, right) in enumerate(pairs, 1) if line != right), len(lines))
        raise ValueError(f"line {at}: not written as gitbackup writes a search index")
    if definition.crashes:
        raise ValueError(f"line 1: {CRASHES}")
    return definition


def _words(line: str) -> Words:
    """Return the words of a line; none if one is not closed."""
    words, at = list[bytes](), 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        match = _TOKEN.match(line, at)
        if match is None:
            return ()
        words.append(_unescaped(match[1]) if match[2] is None else match[2].encode())
        at = match.end()
    return tuple(words)


def _unescaped(quoted: str) -> bytes:
    written, at = list[bytes](), 0
    for match in _ESCAPE.finditer(quoted):
        char = _UNESCAPED.get(match[2] or "", match[2] or "")
        escaped = bytes.fromhex(match[1]) if match[1] else char.encode()
        written += (quoted[at : match.start()].encode(), escaped)
        at = match.end()
    return b"".join((*written, quoted[at:].encode()))


def _line(*words: bytes) -> str:
    return " ".join(map(_quoted, words))


def _quoted(word: bytes) -> str:
    """Return a word as redis-cli reads it: as it is, or in quotes if it needs them."""
    text = codec.loose(word)
    if text.isprintable() and _TOKEN.fullmatch(text) and text[0] != '"':
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in codec.raw(char))


def _about(about: Mapping[str, Any]) -> Iterator[Words]:
    """Yield the parts that say which keys the index is about."""
    known = {"key_type", "prefixes", "filter", "indexes_all", *_ABOUT}
    if unknown := about.keys() - known:
        raise Untold(f"its {min(unknown)} is not known")
    yield b"ON", _raw(about["key_type"])
    prefixes = [*map(_raw, about["prefixes"])]
    if prefixes != [b""]:
        yield _counted("PREFIX", prefixes)
    if "filter" in about:
        yield b"FILTER", _raw(about["filter"])
    for member, word in _ABOUT.items():
        value = _number(about[member]) if member == "default_score" else about.get(member)
        if value is not None and (member, value) != ("default_score", "1"):
            yield word.encode(), _raw(value)
    if str(about.get("indexes_all", "false")).lower() == "true":
        yield b"INDEXALL", b"ENABLE"


def _options(options: Sequence[Any]) -> Iterator[Words]:
    given = {str(option) for option in options}
    if unknown := given - {*_OPTIONS}:
        raise Untold(f"its option {min(unknown)} is not known")
    yield from ((option.encode(),) for option in _OPTIONS if option in given)


def _field(reply: Any) -> dict[str, Any]:
    """Return a field that FT.INFO tells, its flags as `flags`: a dict, or a flat list."""
    if isinstance(reply, dict):
        return reply
    field: dict[str, Any] = {"flags": []}
    words = iter(reply)
    for word in words:
        if word in _VALUED:
            field[word] = next(words)
        else:
            field["flags"].append(word)
    return field


def _written(field: Mapping[str, Any], json: bool, sounds: bool) -> Words:
    """Return a field as FT.CREATE takes it."""
    type_, flags = str(field["type"]), {str(flag) for flag in field["flags"]}
    values = field.keys() - {"identifier", "attribute", "type", "flags"}
    name = codec.strict(str(field["attribute"]))
    if type_ not in _TYPES:
        raise Untold(f"the type {type_} of its field {name!r} is not known")
    if unknown := (values - _TYPES[type_]) | (flags - {*_FLAGS, *_LAST_FLAGS}):
        raise Untold(f"{min(unknown)} of its field {name!r} is not known")
    words = [_raw(field["identifier"])]
    if field["identifier"] != field["attribute"]:
        words += [b"AS", _raw(field["attribute"])]
    words += [type_.encode(), *map(_raw, _settings(type_, field, json))]
    words += [b"PHONETIC", b"dm:en"] if sounds else []
    words += [flag.encode() for flag in (*_FLAGS, *_LAST_FLAGS) if flag in flags]
    return tuple(words)


def _settings(type_: str, field: Mapping[str, Any], json: bool) -> Iterator[str]:
    """Yield the words that follow a field's type, without those that are the default."""
    if type_ == "TEXT" and (weight := _number(field["WEIGHT"])) != "1":
        yield from ("WEIGHT", weight)
    elif type_ == "TAG" and field["SEPARATOR"] != ("" if json else ","):
        yield from ("SEPARATOR", field["SEPARATOR"])
    elif type_ == "GEOSHAPE":
        yield str(field["coord_system"])
    elif type_ == "VECTOR":
        algorithm = str(field.get("algorithm"))
        needed = _ALGORITHMS.get(algorithm)
        if needed is None or not needed <= field.keys():
            name = codec.strict(str(field["attribute"]))
            raise Untold(f"how its field {name!r} is indexed is not known")
        given = {word: field[member] for member, word in _VECTOR.items() if member in field}
        yield from (algorithm, str(2 * len(given)))
        for word, value in given.items():
            yield from (word, _number(value) if word == "EPSILON" else str(value))


def _sounding(
    fields: Sequence[Mapping[str, Any]], explained: Sequence[Any], asked: Sequence[bytes]
) -> set[bytes]:
    """Return the names of the fields that are searched by the sound of words.

    FT.INFO does not tell them. FT.EXPLAIN tells whether there are any; and which, if the fields of
    text come before all others. Else RediSearch takes one field for another.
    """
    index, each = explained[: len(_WORDS)], explained[len(_WORDS) :]
    if not any(_SOUND.search(str(reply)) for reply in index):
        return set()
    types = [field["type"] for field in fields]
    texts = [_raw(field["attribute"]) for field in fields if field["type"] == "TEXT"]
    if len(texts) == 1:
        return {*texts}
    if "TEXT" in types[len(texts) :]:
        raise Untold("which of its fields have PHONETIC, the server does not say")
    if texts != [*asked]:
        raise AskFields(texts)
    return {name for name, reply in zip(texts, each, strict=True) if _SOUND.search(str(reply))}


def _synonyms(terms: Mapping[str, Any]) -> Iterator[Words]:
    groups: dict[bytes, list[bytes]] = {}
    for term, names in terms.items():
        for name in names:
            groups.setdefault(_raw(name), []).append(_raw(term))
    yield from ((name, *sorted(members)) for name, members in sorted(groups.items()))


def _counted(word: str, values: Sequence[bytes]) -> Words:
    return word.encode(), str(len(values)).encode(), *values


def _number(value: Any) -> str:
    """Return a number as FT.CREATE takes it: the shortest text that reads back as the same."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else codec.raw(str(value))
