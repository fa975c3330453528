"""What no test can have at hand: containers, other machines, networks; judged by what is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from gitbackup.checks import persistence, server
from gitbackup.live.server.health import Health
from gitbackup.live.server.host import Home
from gitbackup.model.safety.risk import CHECKS, Level, Risk, worst
from gitbackup.system.mounts import Mount, mount_of
from tests.checks.looking import told

BAD, WARN, UNKNOWN, OK = Level

# of a container of Docker with a volume on /data, as /proc tells them
MOUNTS = """\
668 559 0:52 / / rw,relatime master:271 - overlay overlay rw,lowerdir=/var/lib/docker/l/A
669 668 0:55 / /proc rw,nosuid - proc proc rw
670 668 0:56 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
676 668 254:1 /docker/volumes/redis-data/_data /data rw,relatime - ext4 /dev/vda1 rw
677 668 254:2 / /mnt/my\\040disk rw,relatime - xfs /dev/vdb rw
"""
SAVES = {"appendonly": "no", "save": "3600 1", "dir": "/data"}


def judged(
    config: Mapping[str, str] = {},
    info: Mapping[str, str] = {},
    home: Home | None = None,
    password: bool = False,
) -> dict[str, Risk]:
    health = Health("redis-cli", password, info, config, home=home)
    found = [*persistence.judge(health, timedelta(days=7)), *server.judge(health)]
    assert {risk.check for risk in found} <= {*CHECKS}
    return {risk.check: risk for risk in found}


@pytest.mark.parametrize(
    ("folder", "point", "type_"),
    [
        ("/data", "/data", "ext4"),
        ("/data/appendonlydir", "/data", "ext4"),
        ("/database", "/", "overlay"),
        ("/dev/shm", "/dev", "tmpfs"),  # noqa: S108  a path in a text
        ("/mnt/my disk/redis", "/mnt/my disk", "xfs"),
    ],
)
def test_the_file_system_that_a_folder_is_on(folder: str, point: str, type_: str) -> None:
    found = mount_of(MOUNTS, folder)
    assert found
    assert (found.point, found.type) == (point, type_)


def test_a_mount_over_another_is_the_one_that_counts() -> None:
    over = "690 668 0:60 / /data rw - tmpfs tmpfs rw\n"
    assert mount_of(MOUNTS + over, "/data") == Mount("/data", "tmpfs", "0:60", "/", "tmpfs")


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("ext4", (OK, "files in /data, on ext4")),
        ("overlay", (BAD, "files in /data, on overlay: the container's own layer")),
        ("tmpfs", (BAD, "files in /data, on tmpfs: in memory only")),
    ],
)
def test_where_the_files_are(type_: str, expected: tuple[Level, str]) -> None:
    home = Home("/data", Mount("/", type_, "0:52", "/"), [])
    assert told(judged(SAVES, home=home)["files"]) == expected


def test_the_files_of_another_machine() -> None:
    found = judged(SAVES)["files"]
    assert told(found) == (UNKNOWN, "files in /data")
    assert found.advice == (
        "The server does not run on this machine, or this machine does not tell; there, see that"
        " the folder is on a disk that stays (in Docker: a volume), and then accept it."
    )
    assert found.commands == ("gitbackup config add accept files",)


def test_a_server_that_loads() -> None:
    found = judged(SAVES, {"loading": "1"})["loading"]
    assert told(found) == (WARN, "the server is still loading its data from disk")


def test_an_append_only_file_that_cannot_be_written() -> None:
    found = judged(info={"aof_enabled": "1", "aof_last_write_status": "err"})["append-only"]
    assert told(found) == (BAD, "the last write to the append-only file failed")


def test_what_info_does_not_tell_config_may() -> None:
    found = judged({"appendonly": "yes", "maxmemory": "5000", "maxmemory-policy": "allkeys-lru"})
    assert found["append-only"].level is OK
    assert told(found["memory"]) == (BAD, "allkeys-lru: it evicts any key above 5.0 kB")


def test_a_server_without_a_configuration_file() -> None:
    """What is set is lost when it starts again: so it is said what to start it with."""
    found = judged({"appendonly": "no", "save": ""}, {"config_file": ""})["save-points"]
    assert found.commands == ("redis-cli CONFIG SET save '3600 1 300 100 60 10000'",)
    assert found.advice == (
        "Let it save an RDB file regularly. It has no configuration file: also start it"
        " with --save 3600 1 --save 300 100 --save 60 10000."
    )


OPEN = (WARN, "no password: whoever can reach its port can read and delete everything")
SHUT = (OK, "no password; protected mode refuses other machines")
LOCAL = (OK, "no password; only this machine can reach it")


@pytest.mark.parametrize(
    ("bind", "protected", "version", "expected"),
    [
        ("* -::*", "no", "7.0.15", OPEN),
        ("", "no", "6.2.14", OPEN),
        ("127.0.0.1 10.0.0.7", "no", "7.0.15", OPEN),
        ("127.0.0.1 -::1", "no", "7.0.15", LOCAL),
        ("localhost", "no", "7.0.15", LOCAL),
        ("* -::*", "yes", "7.0.15", SHUT),
        ("", "yes", "6.2.14", SHUT),
        ("10.0.0.7", "yes", "6.2.14", OPEN),  # whose protected mode is for no `bind` only
    ],
)
def test_who_can_reach_a_server_without_a_password(
    bind: str, protected: str, version: str, expected: tuple[Level, str]
) -> None:
    config = {"bind": bind, "protected-mode": protected}
    found = judged(config, {"tcp_port": "6379", "redis_version": version})["access"]
    assert told(found) == expected
    with_password = judged(config, {"tcp_port": "6379"}, password=True)["access"]
    assert told(with_password) == (OK, "gitbackup logs in with a password")


def test_the_worst_is_what_counts() -> None:
    risks = [Risk("a", "", "", OK), Risk("b", "", "", WARN), Risk("c", "", "", UNKNOWN)]
    assert (worst(risks), worst(risks[::2]), worst([])) == (WARN, UNKNOWN, OK)
