"""What a server does for its own data, judged by its settings and its state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from gitbackup.format import codec
from gitbackup.live.server.health import Health
from gitbackup.model.amounts import age, counted, size, span
from gitbackup.model.safety.risk import Level, Risk

CRASH, POWER = "the server crashes", "the machine loses power"
GROWTH, FILES = "the append-only file grows", "a data file is damaged"
SAVING, AWAY = "saving fails", "the folder does not last"
LOADING = "the data read now is incomplete"
MEMORY_ONLY = ("tmpfs", "ramfs")
LAYERS = ("overlay", "aufs", "fuse-overlayfs")
FULL = 0.9  # of maxmemory
SAVES = ("3600 1", "300 100", "60 10000")
"""When to save an RDB file, by seconds and changes: as the servers do by themselves."""


def judge(health: Health, max_age: timedelta) -> Iterator[Risk]:
    """Yield a Risk for each thing that can happen to the server's own files."""
    if health.loading:
        yield Risk(
            "loading",
            LOADING,
            "the server is still loading its data from disk",
            Level.WARN,
            "Wait until it has finished, then check again.",
        )
    yield _append_only(health)
    if health.append_only:
        yield _fsync(health)
        yield _rewrite(health)
    yield _save_points(health)
    if health.config.get("save") != "" or _last_save_failed(health):
        yield _last_save(health, max_age)
    if health.append_only is not False or health.config.get("save") != "":
        yield _files(health)


def unknown(
    check: str, danger: str, why: str, protection: str = "not known", commands: Sequence[str] = ()
) -> Risk:
    """Return a Risk that nothing is known of; `why` becomes a sentence that says why not."""
    sentence = f"{why[:1].upper()}{why[1:]}." if why else ""
    return Risk(check, danger, protection, Level.UNKNOWN, sentence, commands)


def accept(check: str) -> str:
    """Return the command by which an owner says that a risk is known and lived with."""
    return f"gitbackup config add accept {check}"


def setting(health: Health, name: str, value: str, start: str = "") -> tuple[str, Sequence[str]]:
    """Return how to change a setting for good: a sentence of advice, and the commands.

    A server without a configuration file is to be started with `start`, by default `--name value`.
    """
    if health.managed:
        return " It has no CONFIG: change this where the service is set up.", ()
    change = f"{health.redis_cli} CONFIG SET {name} {value}"
    if health.info.get("config_file", "?"):
        return "", (change, f"{health.redis_cli} CONFIG REWRITE")
    words = start or f"--{name} {value}"
    return f" It has no configuration file: also start it with {words}.", (change,)


def _append_only(health: Health) -> Risk:
    risk = partial(Risk, "append-only", CRASH)
    if health.append_only is None:
        return unknown("append-only", CRASH, health.no_info or health.no_config)
    if health.append_only:
        if health.info.get("aof_last_write_status", "ok") == "ok":
            return risk("append-only file: it records every write", Level.OK)
        advice = "Free space on its disk, or repair the disk; see the server's log."
        return risk("the last write to the append-only file failed", Level.BAD, advice)
    more, commands = setting(health, "appendonly", "yes")
    advice = (
        "Turn it on while the server runs. Do not just edit redis.conf: the server"
        " would then start with an empty database."
    )
    state, level = "no append-only file: all changes since the last save would be lost", Level.WARN
    if health.config.get("save") == "":
        state, level = "no append-only file and no saves: all data would be lost", Level.BAD
    return risk(state, level, advice + more, commands)


def _fsync(health: Health) -> Risk:
    policy = health.config.get("appendfsync")
    if policy is None:
        return unknown("fsync", POWER, health.no_config, "append-only file, fsync policy unknown")
    risk = partial(Risk, "fsync", POWER)
    if policy == "no":
        more, commands = setting(health, "appendfsync", "everysec")
        state = "appendfsync no: about 30 seconds of writes may be lost"
        advice = "Let the server write to disk every second; it costs little." + more
        return risk(state, Level.WARN, advice, commands)
    lost = "no write" if policy == "always" else "about a second of writes"
    return risk(f"appendfsync {policy}: {lost} is lost", Level.OK)


def _rewrite(health: Health) -> Risk:
    if health.info.get("aof_last_bgrewrite_status") is None:
        return unknown("rewrite", GROWTH, health.no_info)
    risk = partial(Risk, "rewrite", GROWTH)
    if health.info["aof_last_bgrewrite_status"] != "ok":
        advice = "See the server's log; often the disk or the memory is the reason. Then try again:"
        state = "the last rewrite failed: the file grows until the disk is full"
        return risk(state, Level.BAD, advice, (f"{health.redis_cli} BGREWRITEAOF",))
    if health.config.get("auto-aof-rewrite-percentage") == "0":
        more, commands = setting(health, "auto-aof-rewrite-percentage", "100")
        advice = "Let the server rewrite it." + more
        return risk("it is never rewritten automatically", Level.WARN, advice, commands)
    now, then = map(health.number, ("aof_current_size", "aof_base_size"))
    return risk(f"{size(now)}, and {size(then)} after the last rewrite", Level.OK)


def _save_points(health: Health) -> Risk:
    risk, saves = partial(Risk, "save-points", FILES), health.config.get("save")
    if saves is None:
        return unknown("save-points", FILES, health.no_config, "RDB saves: unknown")
    if saves:
        words = saves.split()
        pairs = zip(words[::2], words[1::2], strict=False)
        points = ", ".join(f"{changes} in {_seconds(seconds)}" for seconds, changes in pairs)
        return risk(f"RDB saves: {points}", Level.OK)
    start = " ".join(f"--save {point}" for point in SAVES)  # every version takes one at a time
    more, commands = setting(health, "save", f"'{' '.join(SAVES)}'", start)
    advice = "Let it save an RDB file regularly." + more
    state, level = "RDB saves are off, and there is no other data file", Level.BAD
    if health.append_only:
        state, level = "RDB saves are off: the append-only file is the only data file", Level.WARN
    return risk(state, level, advice, commands)


def _seconds(text: str) -> str:
    seconds = codec.whole_number(text)
    return text if seconds is None else span(seconds * 1000)


def _last_save_failed(health: Health) -> bool:
    return health.info.get("rdb_last_bgsave_status", "ok") != "ok"


def _last_save(health: Health, max_age: timedelta) -> Risk:
    if "rdb_last_save_time" not in health.info:
        why = "the time of the last save is unknown"
        return unknown("last-save", SAVING, health.no_info, why)
    risk, commands = partial(Risk, "last-save", SAVING), (f"{health.redis_cli} BGSAVE",)
    when = datetime.fromtimestamp(health.number("rdb_last_save_time"), UTC)
    state = _saved(health, when)
    if _last_save_failed(health):
        advice = (
            "Look in the server's log, often it is a full disk, too little memory, or a folder"
            " that is gone or not its own; then try again:"
        )
        return risk(f"the last save failed; {state}", Level.BAD, advice, commands)
    if not health.number("rdb_changes_since_last_save") or health.now - when <= max_age:
        return risk(state, Level.OK)
    level = Level.WARN if health.append_only else Level.BAD
    return risk(state, level, "Let it save now:", commands)


def _saved(health: Health, when: datetime) -> str:
    """Return when it last saved, and how many changes came since.

    A server that never saved tells when it started.
    """
    began = health.now - timedelta(seconds=health.number("uptime_in_seconds"))
    changes = health.number("rdb_changes_since_last_save")
    since = f"{counted(changes, 'change')} since" if changes else "no change since"
    if health.info.get("rdb_saves") == "0":
        return f"not saved since it started, {age(began, health.now)}; {since}"
    unsure = abs(when - began) <= timedelta(seconds=2)  # `rdb_saves` counts those that failed
    return f"saved{', or started,' if unsure else ''} {age(when, health.now)}; {since}"


def _files(health: Health) -> Risk:
    folder, home = health.config.get("dir"), health.home
    if folder is None:
        return unknown("files", AWAY, health.no_config, "the folder of its files is unknown")
    if home is None or home.mount is None:
        why = (
            "the server does not run on this machine, or this machine does not tell; there, see"
            " that the folder is on a disk that stays (in Docker: a volume), and then accept it"
        )
        return unknown("files", AWAY, why, f"files in {folder}", (accept("files"),))
    risk, state = partial(Risk, "files", AWAY), f"files in {folder}, on {home.mount.type}"
    if home.mount.type in MEMORY_ONLY:
        advice = "Move them to a disk: files in memory are lost when the machine restarts."
        return risk(f"{state}: in memory only", Level.BAD, advice)
    if home.mount.type in LAYERS:
        advice = f"Give the container a volume: docker run -v redis-data:{folder} ..."
        return risk(f"{state}: the container's own layer", Level.BAD, advice)
    return risk(state, Level.OK)
