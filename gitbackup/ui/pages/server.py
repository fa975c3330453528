"""What the server says of itself, and how large each namespace was along the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from gitbackup import Backup
from gitbackup.errors import GitbackupError, ServerError
from gitbackup.history.growth import Amount, Growth, State, growth
from gitbackup.live.connection.connect import Server
from gitbackup.live.server import health
from gitbackup.live.server.health import Health
from gitbackup.live.server.keyspace import numbers
from gitbackup.model.keys import Space
from gitbackup.ui.site import Site
from gitbackup.ui.views.plot import Plot, plot
from gitbackup.ui.words.language import Language, later

POINTS = 48
"""Commits that the plots show, at most."""

SERIES = 6
"""Namespaces that have an area of their own; the others share one."""

SIZES = ((760, 260), (350, 220))
"""Pixels of a plot, where there is room and where there is not."""

ROLES = {
    "master": later("primary"),
    "slave": later("replica"),
    "sentinel": later("sentinel"),
}


class Database(NamedTuple):
    """A database, and how many keys it has, and of these how many expire."""

    number: int
    keys: int
    expires: int


class Replica(NamedTuple):
    """A replica as its primary tells of it; `lag` is in seconds, empty if it does not tell."""

    place: str
    state: str
    lag: str


@dataclass(frozen=True, slots=True)
class Node:
    """A server, or a node of a cluster with so many `slots`."""

    server: Server
    health: Health
    slots: int

    @property
    def role(self) -> str:
        """What it says its part is, in English."""
        return ROLES.get(self.health.info.get("role", ""), "")

    @property
    def started(self) -> datetime:
        """When it started, by our clock."""
        return datetime.now(UTC) - timedelta(seconds=self.health.number("uptime_in_seconds"))

    @property
    def saved(self) -> datetime | None:
        """When it last saved an RDB file; None if it does not tell."""
        told = self.health.number("rdb_last_save_time")
        return datetime.fromtimestamp(told, UTC) if 0 < told < health.LAST / 1e6 else None

    @property
    def saves(self) -> Sequence[tuple[int, int]] | None:
        """After how many seconds and changes it saves one by itself; None if it does not tell."""
        told = self.health.config.get("save")
        words = [int(word) for word in (told or "").split() if word.isdecimal()]
        return None if told is None else [*zip(words[::2], words[1::2], strict=False)]

    @property
    def databases(self) -> Sequence[Database]:
        """Its databases that have keys."""
        return [
            Database(number, *(_count(self.health.info[f"db{number}"], part) for part in PARTS))
            for number in sorted(numbers(self.health.info))
        ]

    @property
    def replicas(self) -> Sequence[Replica]:
        """Its replicas."""
        told = [
            _facts(value)
            for name, value in self.health.info.items()
            if name.startswith("slave") and name[5:].isdecimal()
        ]
        return [
            Replica(
                f"{each.get('ip')}:{each.get('port')}", each.get("state", ""), each.get("lag", "")
            )
            for each in told
        ]


PARTS = ("keys", "expires")


class Series(NamedTuple):
    """A namespace in the plots, or all `others` together, by the class of its colour."""

    look: str
    space: Space | None
    spaces: Sequence[Space]

    def amount(self, state: State) -> Amount:
        """Return what a state has of it."""
        found = [state.amounts[each] for each in self.spaces if each in state.amounts]
        return Amount(sum(each.keys for each in found), sum(each.bytes for each in found))


class Chart(NamedTuple):
    """One amount of all series along the history: `of` returns it, `text` says it."""

    name: str
    title: str
    of: Callable[[Amount], int]
    text: Callable[[int], str]
    plots: Sequence[Plot]


@dataclass(frozen=True, slots=True)
class Along:
    """What the plots show, or why there are none."""

    why: str
    growth: Growth = Growth((), 0)  # noqa: RUF009  frozen
    series: Sequence[Series] = ()
    charts: Sequence[Chart] = ()


def page(site: Site, request: Request) -> Response:
    """Return what the server says of itself, and the plots."""
    backup = site.backup()
    nodes, trouble = _nodes(backup)
    return site.streamed(
        request,
        "server.html",
        server=backup.server if nodes else None,
        nodes=nodes,
        databases=_together(nodes),
        trouble=trouble,
        along=partial(_along, site, backup, site.language(request)),
    )


def _along(site: Site, backup: Backup, language: Language) -> Along:
    """Return what the plots show."""
    try:
        repository = backup.repository
        found = growth(repository, POINTS, site.tallies) if repository else Growth((), 0)
    except GitbackupError as error:
        return Along(str(error))
    finally:
        backup.close()
    series = [*_series(found.states)]
    charts = [*_charts(language, found.states, series)]
    return Along("", found, series, charts)


def _nodes(backup: Backup) -> tuple[Sequence[Node], str]:
    """Return the server, or the primaries of a cluster; or why nothing is known of them."""
    try:
        server = backup.connect()
        slots = Counter(server.cluster.owners) if server.cluster else Counter[str]()
        nodes = [Node(each, health.read(each), slots[id_]) for id_, each in server.nodes.items()]
    except ServerError as error:
        return (), str(error)
    return sorted(nodes, key=lambda node: node.server.label), ""


def _together(nodes: Sequence[Node]) -> Sequence[Database]:
    """Return the databases of all nodes, those of one number as one."""
    keys, expires = Counter[int](), Counter[int]()
    for node in nodes:
        for each in node.databases:
            keys[each.number] += each.keys
            expires[each.number] += each.expires
    return [Database(number, keys[number], expires[number]) for number in sorted(keys)]


def _series(states: Sequence[State]) -> Iterator[Series]:
    """Yield the namespaces that were largest, by keys and by bytes, and then all others."""
    shares = Counter[Space]()
    for state in states:
        total = state.total
        for space, amount in state.amounts.items():
            share = amount.keys / total.keys + amount.bytes / max(total.bytes, 1)
            shares[space] = max(shares[space], round(share * 1e9))
    largest = [space for space, _ in shares.most_common(SERIES)]
    for at, space in enumerate(sorted(largest)):
        yield Series(f"series-{at}", space, [space])
    if others := [space for space in shares if space not in largest]:
        yield Series("series-others", None, others)


def _charts(
    language: Language, states: Sequence[State], series: Sequence[Series]
) -> Iterator[Chart]:
    """Yield the charts of keys and bytes, without plots where there is but one state."""
    kinds: Mapping[str, tuple[str, Callable[[Amount], int], Callable[[int], str]]] = {
        "keys": (later("Number of keys"), lambda amount: amount.keys, language.number),
        "bytes": (later("Size"), lambda amount: amount.bytes, language.size),
    }
    for name, (title, of, text) in kinds.items():
        rows = [[of(each.amount(state)) for each in series] for state in states]
        moments = [state.info.date for state in states]
        drawn = len(states) > 1 and any(map(any, rows))
        plots = [plot(moments, rows, *size) for size in SIZES] if drawn else []
        yield Chart(name, title, of, text, plots)


def _facts(told: str) -> Mapping[str, str]:
    """Return the facts of a line of INFO: `keys=5,expires=0`."""
    return dict(fact.partition("=")[::2] for fact in told.split(","))


def _count(told: str, name: str) -> int:
    count = _facts(told).get(name, "")
    return int(count) if count.isdecimal() else 0
