"""Search indexes of RediSearch: which there are, how they are defined, and making them again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gitbackup.format import codec
from gitbackup.kinds import Command, search_index
from gitbackup.kinds.base import mapping, pieces
from gitbackup.kinds.search_index import AskFields, Definition, Untold
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.error_replies import forbids
from gitbackup.progress import Progress

MODULE = "search"
LIST: Command = ("FT._LIST",)
TOGETHER = 20  # indexes that are asked about at once
LOOKS = 3  # times to look, while indexes come and go
SHORT, LONG = 0.05, 1.0  # seconds between two looks at how far indexing has come


@dataclass(slots=True)
class SearchIndexes:
    """The search indexes of a server: `defined` has the text of each definition by name, and
    `untold` says why the definition of each other index is not known.

    `refused` is the sentence of the server if the user may not ask. Of a cluster these are the
    indexes of all nodes, each as the first node has it that has one; `uneven` are those that other
    nodes have in another form. Names are under the text rule.
    """

    defined: dict[str, bytes] = field(default_factory=dict)
    untold: dict[str, str] = field(default_factory=dict)
    uneven: list[str] = field(default_factory=list)
    refused: bool = False

    def __bool__(self) -> bool:
        """Return whether there are any, or may be."""
        return bool(self.defined or self.untold or self.refused)


class IndexChange(NamedTuple):
    """A change of an index: its definition before and after; None if it does not exist."""

    name: str
    before: bytes | None
    after: bytes | None


def has_search(server: Server) -> bool:
    """Return whether the server has the module, as far as it tells."""
    return MODULE in (server.modules or ())


def search_indexes(server: Server) -> SearchIndexes:
    """Return the search indexes of a server or a cluster. Raises ServerError if it is lost."""
    found = SearchIndexes()
    if not has_search(server):
        return found
    seen: list[Mapping[str, bytes]] = []
    for node in server.nodes.values():
        with closing(node.dial()) as connection:
            own = indexes_at(connection)
        if own.refused:
            return own
        seen.append(own.defined)
        found.defined = own.defined | found.defined
        found.untold |= own.untold
    found.defined = {
        name: text for name, text in sorted(found.defined.items()) if name not in found.untold
    }
    for name, text in found.defined.items():
        if any(each.get(name, text) != text for each in seen):
            found.uneven.append(name)
    return found


def indexes_at(connection: Connection) -> SearchIndexes:
    """Return the search indexes of one node."""
    for left in reversed(range(LOOKS)):
        (names,) = connection.ask([LIST])
        if isinstance(names, Refusal):
            return SearchIndexes(refused=forbids(str(names)))
        found, gone = SearchIndexes(), False
        for some in pieces(sorted(map(_raw, names)), TOGETHER):
            for name, definition in _definitions(connection, some):
                if isinstance(definition, Definition):
                    found.defined[codec.text(name)] = definition.text
                elif isinstance(definition, Untold):
                    found.untold[codec.text(name)] = str(definition)
                elif forbids(str(definition)):
                    return SearchIndexes(refused=True)
                else:
                    gone, found.untold[codec.text(name)] = True, definition.why
        if not (gone and left):
            break
    return found


def _definitions(
    connection: Connection, names: Sequence[bytes]
) -> Iterator[tuple[bytes, Definition | Untold | Refusal]]:
    asked = [search_index.ask(name) for name in names]
    replies = iter(connection.ask([command for commands in asked for command in commands]))
    for name, commands in zip(names, asked, strict=True):
        own = [next(replies) for _ in commands]
        try:
            yield name, _definition(name, own)
        except AskFields as fields:
            again = connection.ask(search_index.ask(name, fields.names))
            yield name, _definition(name, again, fields.names)


def _definition(
    name: bytes, replies: Sequence[Any], texts: Sequence[bytes] = ()
) -> Definition | Untold | Refusal:
    """Return what the replies tell. Raises AskFields unless `texts` are those to ask about."""
    for at, reply in enumerate(replies):
        if isinstance(reply, Refusal) and (at < 2 or forbids(str(reply))):
            return reply  # what explains a word of an index without text may be refused
    try:
        return search_index.told(name, replies, texts)
    except Untold as untold:
        return untold
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError):
        return Untold("FT.INFO tells it in a form that is not known")


def change_index(connection: Connection, change: IndexChange) -> str | None:
    """Change an index; return why that was refused, or an empty string.

    Nobody can WATCH an index: the transaction asks for its definition itself, and if that is
    another than `before` by then, it is undone, and None returned.
    """
    name = codec.data(change.name)
    commands = changing(change)
    texts = search_index.parse(change.before).texts if change.before else ()
    asked = search_index.ask(name, texts)
    connection.call("MULTI")
    queued = connection.ask([*asked, *commands, ("EXEC",)])
    for command, reply in zip([*asked, *commands], queued, strict=False):
        if isinstance(reply, Refusal):  # then nothing was done
            return str(connection.refused(reply, command))
    replies = connection.unwatched(queued[-1])
    told, done = replies[: len(asked)], replies[len(asked) :]
    try:
        there = _definition(name, told, texts)
    except AskFields:  # somebody has changed it
        there = Untold("it has changed")
    text = there.text if isinstance(there, Definition) else None
    wrong = [reply for reply in done if isinstance(reply, Refusal)]
    if text == change.before and not wrong:
        return ""
    back = _put_back(connection, name, text)
    return f"{wrong[0].why}{back}" if text == change.before else None


def changing(change: IndexChange) -> list[Command]:
    """Return the commands that change an index: as few as can be, for one that is created anew has
    to index all its keys again, and loses its aliases."""
    name = codec.data(change.name)
    before = change.before and search_index.parse(change.before)
    after = change.after and search_index.parse(change.after)
    if not after:
        return [search_index.drop(name)]
    if not before:
        return after.create()
    added = after.change(before)
    return added if added is not None else [search_index.drop(name), *after.create()]


def is_created_anew(change: IndexChange) -> bool:
    """Return whether an index is dropped and created, and not only added to."""
    return bool(change.before and change.after) and changing(change)[0][0] == "FT.DROPINDEX"


def _put_back(connection: Connection, name: bytes, text: bytes | None) -> str:
    """Make an index what it was before it was changed; return what to say of that."""
    commands = search_index.parse(text).create() if text else []
    _, *replies = connection.ask([search_index.drop(name), *commands])
    if refused := [reply for reply in replies if isinstance(reply, Refusal)]:
        return (
            f"; the previous index could not be put back ({refused[0].why}): it is in the saved"
            " commit"
        )
    return "; the previous index was put back" if text else ""


def await_indexing(connection: Connection, name: str, progress: Progress) -> None:
    """Wait until an index has all keys that it is about; `progress` is told how far it is.

    Raises ServerError if the server is lost.
    """
    progress.start(f"indexing {name}", 100, "percent")
    done, wait = 0, SHORT
    while True:
        (reply,) = connection.ask([("FT.INFO", codec.data(name))])
        if isinstance(reply, Refusal):
            return  # it is gone: whoever reads it again says so
        info = mapping(reply)
        if str(info.get("indexing", 0)) == "0":
            return
        share = int(100 * float(info.get("percent_indexed", 0)))
        progress.advance(max(share - done, 0))
        done = max(share, done)
        time.sleep(wait)
        wait = min(2 * wait, LONG)


def _raw(name: Any) -> bytes:
    return name if isinstance(name, bytes) else codec.raw(str(name))
