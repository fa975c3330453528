"""What a server does for its own data, judged by what it tells of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from gitbackup.format import codec
from gitbackup.live.server.health import Health
from gitbackup.model.amounts import age, counted, size, span
from gitbackup.model.risk import Level, Risk

CRASH, POWER = "the server crashes", "the machine loses power"
GROWTH, FILES = "the append-only file grows", "a data file is damaged"
SAVING, AWAY = "saving fails", "the folder does not last"
MEMORY_ONLY = ("tmpfs", "ramfs")
LAYERS = ("overlay", "aufs", "fuse-overlayfs")
FULL = 0.9  # of maxmemory
SAVES = ("3600 1", "300 100", "60 10000")
"""When to save an RDB file, by seconds and changes: as the servers do by themselves."""


def judge(health: Health, max_age: timedelta) -> Iterator[Risk]:
    """A Risk for each thing that the server's settings and its state are about."""
    if health.loading:
        yield Risk(
            "loading",
            "the data read now is incomplete",
            "the server is still loading its data from disk",
            Level.WARN,
            "Wait until it has finished, then check again.",
        )
    yield _append_only(health)
    if health.append_only:
        yield _fsync(health)
        yield _rewrite(health)
    yield _save_points(health)
    if health.config.get("save") != "" or _failed(health):
        yield _last_save(health, max_age)
    if health.append_only is not False or health.config.get("save") != "":
        yield _files(health)


def unknown(check: str, danger: str, why: str, protection: str = "not known") -> Risk:
    """A Risk of which nothing tells; `why` is what would."""
    return Risk(check, danger, protection, Level.UNKNOWN, _sentence(why))


def setting(health: Health, name: str, value: str, start: str = "") -> tuple[str, Sequence[str]]:
    """How to change a setting for good: a sentence of advice, and what to type.

    A server without a configuration file is to be started with `start`, `--name value` mostly.
    """
    change = f"{health.redis_cli} CONFIG SET {name} {value}"
    if health.info.get("config_file", "?"):
        return "", (change, f"{health.redis_cli} CONFIG REWRITE")
    words = start or f"--{name} {value}"
    return f" It has no configuration file: also start it with {words}.", (change,)


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:]}." if why else ""


def _append_only(health: Health) -> Risk:
    check = "append-only"
    if health.append_only is None:
        return unknown(check, CRASH, health.no_info or health.no_config)
    if not health.append_only:
        return _no_append_only(health, check)
    if health.info.get("aof_last_write_status", "ok") != "ok":
        told = "the last write to the append-only file failed"
        return Risk(
            check,
            CRASH,
            told,
            Level.BAD,
            "Free space on its disk, or repair the disk; see the server's log.",
        )
    return Risk(check, CRASH, "append-only file: it records every write", Level.OK)


def _no_append_only(health: Health, check: str) -> Risk:
    more, commands = setting(health, "appendonly", "yes")
    advice = (
        "Turn it on while the server runs. Do not just edit redis.conf: the server"
        " would then start with an empty database."
    )
    saves = health.config.get("save")
    told = "no append-only file: all changes since the last save would be lost"
    if saves == "":
        told = "no append-only file and no saves: all data would be lost"
    level = Level.BAD if saves == "" else Level.WARN
    return Risk(check, CRASH, told, level, advice + more, commands)


def _fsync(health: Health) -> Risk:
    policy = health.config.get("appendfsync")
    if policy is None:
        return unknown("fsync", POWER, health.no_config, "append-only file, fsync policy unknown")
    if policy == "no":
        more, commands = setting(health, "appendfsync", "everysec")
        told = "appendfsync no: about 30 seconds of writes may be lost"
        advice = "Let the server write to disk every second; it costs little." + more
        return Risk("fsync", POWER, told, Level.WARN, advice, commands)
    lost = "no write" if policy == "always" else "about a second of writes"
    return Risk("fsync", POWER, f"appendfsync {policy}: {lost} is lost", Level.OK)


def _rewrite(health: Health) -> Risk:
    check = "rewrite"
    if health.info.get("aof_last_bgrewrite_status") is None:
        return unknown(check, GROWTH, health.no_info)
    if health.info["aof_last_bgrewrite_status"] != "ok":
        advice = "See the server's log; often the disk or the memory is the reason. Then try again:"
        told = "the last rewrite failed: the file grows until the disk is full"
        return Risk(check, GROWTH, told, Level.BAD, advice, (f"{health.redis_cli} BGREWRITEAOF",))
    if health.config.get("auto-aof-rewrite-percentage") == "0":
        more, commands = setting(health, "auto-aof-rewrite-percentage", "100")
        told = "it is never rewritten automatically"
        return Risk(check, GROWTH, told, Level.WARN, "Let the server rewrite it." + more, commands)
    now, then = map(health.number, ("aof_current_size", "aof_base_size"))
    return Risk(check, GROWTH, f"{size(now)}, and {size(then)} after the last rewrite", Level.OK)


def _save_points(health: Health) -> Risk:
    saves = health.config.get("save")
    if saves is None:
        return unknown("save-points", FILES, health.no_config, "RDB saves: unknown")
    if saves:
        return Risk("save-points", FILES, f"RDB saves: {_points(saves)}", Level.OK)
    more, commands = setting(health, "save", f"'{' '.join(SAVES)}'", _started_with(SAVES))
    advice = "Let it save an RDB file regularly." + more
    told, level = "RDB saves are off, and there is no other data file", Level.BAD
    if health.append_only:
        told, level = "RDB saves are off: the append-only file is the only data file", Level.WARN
    return Risk("save-points", FILES, told, level, advice, commands)


def _started_with(saves: Sequence[str]) -> str:
    """As every version takes them: one at a time."""
    return " ".join(f"--save {each}" for each in saves)


def _points(saves: str) -> str:
    """`3600 1 300 100` in words."""
    words = saves.split()
    pairs = zip(words[::2], words[1::2], strict=False)
    return ", ".join(f"{changes} in {_seconds(seconds)}" for seconds, changes in pairs)


def _seconds(told: str) -> str:
    seconds = codec.whole_number(told)
    return told if seconds is None else span(seconds * 1000)


def _failed(health: Health) -> bool:
    return health.info.get("rdb_last_bgsave_status", "ok") != "ok"


def _last_save(health: Health, max_age: timedelta) -> Risk:
    check = "last-save"
    if "rdb_last_save_time" not in health.info:
        return unknown(check, SAVING, health.no_info, "the time of the last save is unknown")
    commands = (f"{health.redis_cli} BGSAVE",)
    when = datetime.fromtimestamp(health.number("rdb_last_save_time"), UTC)
    told = _when(health, when)
    if _failed(health):
        advice = "Look in the server's log, often it is a full disk, too little memory, or a"
        advice += " folder that is gone or not its own; then try again:"
        return Risk(check, SAVING, f"the last save failed; {told}", Level.BAD, advice, commands)
    if not health.number("rdb_changes_since_last_save") or health.now - when <= max_age:
        return Risk(check, SAVING, told, Level.OK)
    level = Level.WARN if health.append_only else Level.BAD
    return Risk(check, SAVING, told, level, "Let it save now:", commands)


def _when(health: Health, when: datetime) -> str:
    """When it last saved, and what came since. A server that never did tells when it started."""
    began = health.now - timedelta(seconds=health.number("uptime_in_seconds"))
    changes = health.number("rdb_changes_since_last_save")
    many = f"{counted(changes, 'change')} since" if changes else "no change since"
    if health.info.get("rdb_saves") == "0":
        return f"not saved since it started, {age(began, health.now)}; {many}"
    unsure = abs(when - began) <= timedelta(seconds=2)  # `rdb_saves` counts those that failed
    return f"saved{', or started,' if unsure else ''} {age(when, health.now)}; {many}"


def _files(health: Health) -> Risk:
    check, folder, home = "files", health.config.get("dir"), health.home
    if folder is None:
        return unknown(check, AWAY, health.no_config, "the folder of its files is unknown")
    if home is None or home.mount is None:
        why = "the server does not run on this machine, or this machine does not tell; there,"
        why += " see that the folder is on a disk that stays (in Docker: a volume)"
        return unknown(check, AWAY, why, f"files in {folder}")
    told = f"files in {folder}, on {home.mount.type}"
    if home.mount.type in MEMORY_ONLY:
        advice = "Move them to a disk: files in memory are lost when the machine restarts."
        return Risk(check, AWAY, f"{told}: in memory only", Level.BAD, advice)
    if home.mount.type in LAYERS:
        advice = f"Give the container a volume: docker run -v redis-data:{folder} ..."
        return Risk(check, AWAY, f"{told}: the container's own layer", Level.BAD, advice)
    return Risk(check, AWAY, told, Level.OK)
