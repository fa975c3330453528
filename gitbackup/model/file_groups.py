"""Long sorted lists about keys, most of which are whole files of a snapshot.

What is told of such a file is told once; of its keys only their names are kept. What each of
them stands for in the list is made when somebody asks for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Generic, Protocol, TypeVar, overload

from gitbackup.model.changes import Action, Counts
from gitbackup.model.keys import Key, Space, place_of


class Keyed(Protocol):
    """What stands in such a list: something about one key."""

    @property
    def key(self) -> Key: ...


class Acting(Keyed, Protocol):
    """Something that happens to one key."""

    @property
    def action(self) -> Action: ...


T = TypeVar("T", bound=Keyed)
A = TypeVar("A", bound=Acting)
U = TypeVar("U", bound=Keyed)
T_co = TypeVar("T_co", bound=Keyed, covariant=True)


class FileGroup(Protocol[T_co]):
    """All keys of one file: a database, and at least one name; these are sorted."""

    @property
    def db(self) -> int: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def action(self) -> Action:
        """What happens to each of them."""
        ...

    def item(self, at: int) -> T_co:
        """Return the item of the name at this position."""
        ...


class FileGroups(Sequence[T]):
    """Return a sequence sorted by key, of sorted items and of blocks, if there are any.

    No key is in it twice. It is iterated in memory for a name of each block.
    """

    def __init__(self, few: Sequence[T], blocks: Sequence[FileGroup[T]]) -> None:
        self.few = few
        self.blocks = blocks

    @cached_property
    def _count(self) -> int:
        return len(self.few) + sum(len(block.names) for block in self.blocks)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        first = [(self._key(part, 0), part, 0) for part in range(-bool(self.few), len(self.blocks))]
        heapify(first)
        while first:
            _, part, at = heappop(first)
            until = self._place(part, first[0][0], at) if first else self._length(part)
            yield from map(self._item(part), range(at, until))
            if until < self._length(part):
                heappush(first, (self._key(part, until), part, until))

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...

    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        if isinstance(at, slice) and at.start is None and at.step is None and (at.stop or -1) > 0:
            return [*islice(self, at.stop)]
        return [*self][at]

    # A part is a block by its number, or -1, the items that are in none.

    def _item(self, part: int) -> Callable[[int], T]:
        return self.few.__getitem__ if part < 0 else self.blocks[part].item

    def _length(self, part: int) -> int:
        return len(self.few if part < 0 else self.blocks[part].names)

    def _key(self, part: int, at: int) -> Key:
        return (
            self.few[at].key if part < 0 else Key(self.blocks[part].db, self.blocks[part].names[at])
        )

    def _place(self, part: int, key: Key, start: int) -> int:
        """Return the place of a key in a part, which is behind `start`."""
        if part < 0:
            return bisect_left(self.few, key, start + 1, key=_key)
        block = self.blocks[part]
        same = block.db == key.db
        return bisect_left(block.names, key.name, start + 1) if same else len(block.names)


def listed(few: Sequence[T], blocks: Sequence[FileGroup[T]]) -> Sequence[T]:
    """Return a sequence sorted by key, of sorted items and of blocks, if there are any."""
    return FileGroups(few, blocks) if blocks else few


def parts(items: Iterable[T]) -> tuple[Iterable[T], Sequence[FileGroup[T]]]:
    """Return the items of a sequence that are kept one by one, and the blocks of the others."""
    return (items.few, items.blocks) if isinstance(items, FileGroups) else (items, ())


def unordered(items: Iterable[T]) -> Iterator[T]:
    """Iterate over the items of a sequence in no order, which takes no memory for the blocks."""
    few, blocks = parts(items)
    yield from few
    for block in blocks:
        yield from map(block.item, range(len(block.names)))


def converted(items: Iterable[T], convert: Callable[[T], U]) -> Sequence[U]:
    """Return the sequence of what `convert` makes of each item, about the same key.

    Items of blocks are converted when somebody asks for them.
    """
    few, blocks = parts(items)
    return listed([*map(convert, few)], [_Converted(block, convert) for block in blocks])


def merged(old: Sequence[T], new: Sequence[T], left: Set[Key]) -> Sequence[T]:
    """Return the items of both sequences without the keys `left`; where both have a key, the newer
    item."""
    again = {*left, *(item.key for item in new)} if old else left
    both = [_without(old, again), _without(new, left)]
    few = [item for items in both for item in parts(items)[0]]
    return listed(sorted(few, key=_key), [block for items in both for block in parts(items)[1]])


def _without(items: Sequence[T], keys: Set[Key]) -> Sequence[T]:
    if not keys:
        return items
    few, blocks = parts(items)
    narrowed = (_narrowed(block, keys) for block in blocks)
    kept = [block for block in narrowed if block.names]
    return listed([item for item in few if item.key not in keys], kept)


def _narrowed(block: FileGroup[T], keys: Set[Key]) -> FileGroup[T]:
    names = block.names
    left = [at for at, name in enumerate(names) if Key(block.db, name) not in keys]
    return block if len(left) == len(names) else _Some(block, left)


class _Some(Generic[T]):
    """A block of some of another's keys."""

    def __init__(self, block: FileGroup[T], places: Sequence[int]) -> None:
        self.db = block.db
        self.action = block.action
        self.names = [block.names[at] for at in places]
        self._block = block
        self._places = places

    def item(self, at: int) -> T:
        return self._block.item(self._places[at])


class _Converted(Generic[T, U]):
    """A block of what is made of another's items."""

    def __init__(self, block: FileGroup[T], convert: Callable[[T], U]) -> None:
        self.db = block.db
        self.action = block.action
        self.names = block.names
        self._block = block
        self._convert = convert

    def item(self, at: int) -> U:
        return self._convert(self._block.item(at))


def _named(block: FileGroup[T], name: Callable[[Key], str]) -> Counter[str]:
    """Return how many keys of a block have each name, which those of one prefix share."""
    first, last = (Key(block.db, block.names[at]) for at in (0, -1))
    if first.prefix == last.prefix != "":
        return Counter({name(first): len(block.names)})  # they are sorted
    return Counter(name(Key(block.db, each)) for each in block.names)


def total(items: Iterable[A]) -> Counts:
    """Return how many keys are added, changed and removed, in all."""
    few, blocks = parts(items)
    actions = Counter(item.action for item in few)
    for block in blocks:
        actions[block.action] += len(block.names)
    return Counts(*(actions[action] for action in Action))


def count_by_namespace(items: Iterable[A]) -> dict[tuple[str, str], Counts]:
    """Return how many keys are added, changed and removed in each place and namespace, in order."""
    return _count_by(items, lambda key: key.namespace)


def count_by_prefix(items: Iterable[A]) -> dict[Space, Counts]:
    """Return how many keys are added, changed and removed by place and prefix, in order."""
    found = _count_by(items, lambda key: key.prefix)
    return {Space(*each): counts for each, counts in found.items()}


def _count_by(items: Iterable[A], name: Callable[[Key], str]) -> dict[tuple[str, str], Counts]:
    few, blocks = parts(items)
    found: defaultdict[tuple[int, str], Counter[Action]] = defaultdict(Counter)
    for item in few:
        found[item.key.db, name(item.key)][item.action] += 1
    for block in blocks:
        for each, count in _named(block, name).items():
            found[block.db, each][block.action] += count
    return {
        (place_of(db), each): Counts(*(actions[action] for action in Action))
        for (db, each), actions in sorted(found.items())
    }


def _key(item: Keyed) -> Key:
    return item.key
