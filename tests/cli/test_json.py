"""`--json`, for every command, on a database of every type.

Whatever is printed in these tests is checked against its schema; see `User`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

from gitbackup.cli.app import app
from gitbackup.cli.command_list import COMMANDS
from tests.cli.user import User

BEFORE: tuple[tuple[Any, ...], ...] = (
    ("SET", "text", "a"),
    ("SET", "config", '{"limits": {"daily": 100}, "gone": [1, 2]}'),
    ("SET", "binary", b"\xff\x00"),
    ("SET", "turns", "into a set"),
    ("SET", "goes", "away", "PX", 10_000_000_000),
    ("HSET", "hash", "same", "1", "field", "1", "gone", "1", "json", '{"a": 1}'),
    ("RPUSH", "list", "a", "b", '{"a": 1}', "d"),
    ("SADD", "set", "a", "b"),
    ("ZADD", "zset", 1, "a", 2.5, "b", "inf", "c"),
    ("XADD", "stream", "1-1", "f", "v"),
    ("XGROUP", "CREATE", "stream", "readers", "0"),
    ("SELECT", 3),
    ("SET", "elsewhere", "a"),
    ("SELECT", 0),
)
AFTER: tuple[tuple[Any, ...], ...] = (
    ("SET", "text", "b", "PX", 20_000_000_000),
    ("SET", "config", '{"limits": {"daily": 250}, "new": {"a": null}}'),
    ("SET", "binary", b"\xff\x01"),
    ("DEL", "turns", "goes"),
    ("SADD", "turns", "a member"),
    ("HSET", "hash", "field", "2", "new", "1", "json", '{"a": 2}'),
    ("HDEL", "hash", "gone"),
    ("LSET", "list", 2, '{"a": 2}'),
    ("LPUSH", "list", "first"),
    ("SREM", "set", "a"),
    ("SADD", "set", b"\xfe"),
    ("ZADD", "zset", 3, "a", "-inf", "c"),
    ("XADD", "stream", "2-1", "f", "v"),
    ("XREADGROUP", "GROUP", "readers", "me", "COUNT", 1, "STREAMS", "stream", ">"),
    ("FUNCTION", "LOAD", "#!lua name=mylib\nredis.register_function('f', function() end)"),
)

SAID = {
    ("init", "--json"): "error",
    ("commit", "--dry-run", "--json"): "commit",
    ("commit", "--json"): "commit",
    ("note", "-m", "why", "--json"): "note",
    ("note", "--json"): "note",
    ("commit", "--amend", "-m", "why", "--json"): "amend",
    ("log", "--json"): "log",
    ("log", "nowhere", "--json"): "error",
    ("log", "--stat", "--json"): "log",
    ("log", "--json", "--", "*"): "log",
    ("blame", "stream", "--json"): "blame",
    ("blame", "hash", "--json"): "blame",
    ("blame", "mylib", "HEAD", "--json"): "blame",
    ("log", "-S", "250", "--json"): "log",
    ("log", "--when", "config limits.daily = 250", "--json"): "log",
    ("keys", "--json"): "keys",
    ("keys", "--changed-since", "HEAD~1", "--json"): "keys",
    ("show", "HEAD:hash", "--field", "json", "--json"): "field",
    ("show", "--json"): "log diff",
    ("show", "HEAD:stream", "--json"): "entry",
    ("show", "HEAD:mylib", "--json"): "entry",
    ("show", "HEAD:none", "--json"): "error",
    ("status", "--json"): "status",
    ("diff", "HEAD~1", "--json"): "diff",
    ("diff", "HEAD~1", "HEAD", "--stat", "--json"): "stat",
    ("diff", "--nope", "--json"): "error",
    ("suggest", "--json"): "suggest",
    ("watch", "-m", "{nope}", "--json"): "error",  # one that goes on is in test_watch
    ("push", "elsewhere", "--json"): "push",
    ("pull", "elsewhere", "--json"): "pull",
    ("clone", "data-git-backup", "copy", "--json"): "clone",
    ("config", "add", "exclude", "none:*", "--json"): "config",
    ("verify", "HEAD", "--json"): "verify",
    ("log", "-n", "1", "--json"): "log",
    ("check", "--json"): "check",
    ("export", "-o", "all.json", "--json"): "exported",
    ("export", "HEAD~1", "-o", "then.jsonl", "--format", "jsonl", "--json"): "exported",
    ("export", "--format", "jsonl"): "export",
    ("import", "then.jsonl", "--dry-run", "--json"): "plan",
    ("import", "all.json", "--yes", "--json"): "restore",
    ("restore", "HEAD~1", "--dry-run", "--json"): "plan",
    ("restore", "HEAD~1", "--yes", "--json"): "restore",
    ("revert", "HEAD~2", "--dry-run", "--json"): "plan",
    ("forget", "text", "--dry-run", "--json"): "forget",
    ("undo", "--dry-run", "--json"): "plan",
    ("undo", "--yes", "--json"): "restore",
    ("copy", "unix:///none", "unix:///none", "--yes", "--json"): "error",
    ("rdb", "save", "saved", "--json"): "rdb-save",
    ("rdb", "list", "saved", "--json"): "rdb",
    ("rdb", "verify", "dump.rdb", "--json"): "rdb-verify",
}
"""What a program asks, in order, and the schemas of what it is told. A new command goes here."""


def test_every_command_that_has_json_is_tried_here() -> None:
    """And `init`, which has none, says so as JSON all the same."""
    commands = {name: app.get_command(None, name) for name in COMMANDS}
    having = {name for name, command in commands.items() if command and _has_json(command)}
    assert having == {words[0] for words in SAID} - {"init"}


def _has_json(command: click.Command) -> bool:
    """Whether it, or a command below it, has --json."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = any("--json" in param.opts for param in command.params)
    return own or any(map(_has_json, below))


def test_every_command_says_what_its_schema_has(user: User) -> None:
    """On every type that there is, with every kind of change."""
    for words in BEFORE:
        user.redis.execute_command(*words)
    user.says("commit", "-m", "before")
    for words in AFTER:
        user.redis.execute_command(*words)
    (user.repo.parent / "elsewhere").mkdir()
    user.redis.save()
    shutil.copy(Path(user.redis.config_get("dir")["dir"], "dump.rdb"), user.repo.parent)
    told = {words: " ".join(dict.fromkeys(_schemas(user, words))) for words in SAID}
    assert told == SAID


def _schemas(user: User, words: tuple[str, ...]) -> list[str]:
    done = user.run(*words)
    lines = [line for line in (done.out + done.err).split("\n") if line[:1] == "{"]
    return [json.loads(line)["schema"].split(".")[1].split("/")[0] for line in lines]
