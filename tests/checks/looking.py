"""What `check` says of one risk, for tests to compare."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import redis

from gitbackup import Backup
from gitbackup.model.safety.risk import CHECKS, Level, Risk
from tests.servers import LiveServer
from tests.watching import eventually

AGE = re.compile(r"just now|\d+ (?:second|minute)s? ago")
WEEK = timedelta(days=7)


def risks(backup: Backup, max_age: timedelta = WEEK, quick: bool = False) -> dict[str, Risk]:
    """Each risk by the name of its check."""
    found = {risk.check: risk for risk in backup.check(max_age, quick=quick).risks}
    assert found.keys() <= {*CHECKS}, "the setting accept must know every check"
    assert len(found) == len(backup.check(max_age, quick=quick).risks)
    return found


def of_server(server: LiveServer, folder: Path, max_age: timedelta = WEEK) -> dict[str, Risk]:
    return risks(Backup(folder / "data", server.url), max_age)


def told(risk: Risk) -> tuple[Level, str]:
    """The verdict, and what stands against the risk."""
    return risk.level, AGE.sub("AGE", risk.protection)


def await_info(client: redis.Redis, name: str, *wanted: object) -> None:
    """Waits until the server says so."""
    until(lambda: client.info("all").get(name) in wanted, f"{name} is never one of {wanted}")


def until(true: Callable[[], bool], failure: str) -> None:
    assert eventually(true), failure
