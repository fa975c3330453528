"""Why a server of our own did not load an RDB file, as its log tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitbackup import wording
from gitbackup.errors import ServerError
from gitbackup.live.rdb import rdb_file
from gitbackup.live.server.embedded import StartFailed
from gitbackup.model.server.rdb import RdbFile

NEWER = re.compile(r"Can't handle RDB format version|Wrong signature trying to load DB")
NO_MODULE = re.compile(r"module data I can't load: no matching module(?: type)? '(.*)'")
MODULE_FAILED = re.compile(r"module data for the module type '(.*)', that the responsible module")
TWICE = re.compile(r"# RDB has duplicated key .*in DB (\d+)")
NOT_RUN = re.compile(r"# (?=.*append only file)(?=.*unknown command '(.*?)')", re.IGNORECASE)
VERSION = re.compile(r"(?:Redis|Valkey) version=([\d.]+)")
REASONS = (
    re.compile(r"# (Module .* (?:failed to load|initialization failed).*)"),
    re.compile(r"Internal error in RDB reading .*? -> (.+)"),
    re.compile(r"Guru Meditation: (.+?) #"),
    re.compile(r"(?:# (?!Fatal)|\[offset \d+\] (?=[A-Z]))(.+)\n(?=.*# Fatal|\[additional)"),
    re.compile(r"ASSERTION FAILED.*\n.*# ==> (.+)"),
    re.compile(r"# (.* crashed by signal: .+)"),
    re.compile(r"# (?!WARNING|Fatal|Bio )(.+)\Z"),
)
"""What a line says that tells the reason; the first of these that the log has."""


@dataclass(frozen=True, slots=True)
class LoadRefusal:
    """A server that did not load a file.

    `version` is its own, where it said so. `newer` tells whether it does not know the file's
    version; `module` whether it lacks a module that the file has data of; `runs` whether it
    began at all, which one without its libraries does not; `stuck` whether it neither loaded the
    file nor refused it.
    """

    program: Path
    version: str
    reason: str
    newer: bool = False
    module: bool = False
    runs: bool = True
    stuck: bool = False


def refusal(file: RdbFile, program: Path, error: ServerError) -> LoadRefusal:
    """Return why `program` did not load the file."""
    log = error.log if isinstance(error, StartFailed) else str(error)
    began = VERSION.search(log)
    version = began[1] if began else ""
    if isinstance(error, StartFailed) and error.stuck:
        return LoadRefusal(program, version, f"it {error.what}", stuck=True)
    if NEWER.search(log):
        why = f"it does not know RDB version {file.version}"
        return LoadRefusal(program, version, why, newer=True)
    if found := NO_MODULE.search(log):
        why = f"no module for data of the type {_type(file, found[1])}"
        return LoadRefusal(program, version, why, module=True)
    if found := MODULE_FAILED.search(log):
        why = f"its module does not read data of the type {_type(file, found[1])}"
        return LoadRefusal(program, version, why, module=True)
    return LoadRefusal(program, version, _reason(log), runs=bool(began))


def _reason(log: str) -> str:
    """Return the line of a log that tells why, or the last."""
    if found := TWICE.search(log):
        return f"it has the same key twice in db{found[1]}"
    if found := NOT_RUN.search(log):
        return f"it has the command {found[1]!r}, which is unknown or not allowed in a file"
    found = next(filter(None, (each.search(log) for each in REASONS)), None)
    said = found[1] if found else next(reversed(log.strip().splitlines()), "")
    return said.strip() or "it ended during its start, with no message"


def _type(file: RdbFile, name: str) -> str:
    version = rdb_file.module_encoding(file.path, name)
    return f"{name!r}" if version is None else f"{name!r} (encoding version {version})"


def refused_by_all(
    file: RdbFile, refusals: Sequence[LoadRefusal], untried: Sequence[Path] = ()
) -> ServerError:
    """Return the error that tells why none of these servers, one at least, loaded the file.

    `untried` are others that were not asked to.
    """
    refusals = [each for each in refusals if each.runs] or refusals
    known = [each for each in refusals if not each.newer]  # they know its version, and tell more
    names = _names(known or refusals)
    if not known:
        by = f" written by {file.server}" if file.server else ""
        return ServerError(
            f"{_joined(names)} cannot load {file.path}: it has RDB version {file.version}{by};"
            f" name that server, or a newer one, with {wording.option('--server')}"
        )
    reasons: dict[str, list[str]] = {}
    for name, each in zip(names, known, strict=True):
        reasons.setdefault(each.reason, []).append(name)
    (reason, first), *others = reasons.items()
    told = [f"{_joined(first)} cannot load {file.path}: {reason}"]
    told += [f"{_joined(some)}: {reason}" for reason, some in others]
    if any(each.module for each in known):
        told.append(f"name the module's file with {wording.option('--module', 'modules')}")
    if untried:
        left = _joined([str(program) for program in untried])
        told.append(f"not tried: {left}; name one with {wording.option('--server')}")
    return ServerError("; ".join(told))


def _names(refusals: Sequence[LoadRefusal]) -> list[str]:
    """Return the programs' names, with their versions if two have one name."""
    names = [each.program.name for each in refusals]
    return [
        name if names.count(name) == 1 else f"{name} {each.version}"
        for name, each in zip(names, refusals, strict=True)
    ]


def _joined(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
