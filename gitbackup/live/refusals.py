"""What a server's error replies mean to a person, in one sentence each."""

from __future__ import annotations

from gitbackup import codec
from gitbackup.kinds import Command

LONGEST = 80  # characters of a key's name in a message
MEANINGS = {
    "NOAUTH": "the server at {label} wants a password: set REDISCLI_AUTH, or put it in the URL",
    "WRONGPASS": "the server at {label} does not accept this user name and password",
    "READONLY": "the server at {label} is a read-only replica; name its primary",
    "OOM": "the server at {label} has reached its maxmemory and takes no more data: raise that",
    "MISCONF": "the server at {label} refuses writes, since it cannot save to its disk",
    "LOADING": "the server at {label} is still loading its data; try again in a moment",
    "MASTERDOWN": "the replica at {label} has lost its primary; name another server",
    "BUSY": "the server at {label} is busy with a script; try again in a moment",
    "MOVED": "the server at {label} is a node of a cluster, which gitbackup cannot read whole",
    "CLUSTERDOWN": "the server at {label} is a node of a cluster that is down",
}


def words_of(refusal: Exception) -> str:
    """An error reply as the server sent it: redis-py takes the codes that it knows away."""
    code = getattr(refusal, "status_code", None)
    return f"{code} {refusal}" if code else str(refusal)


def explain(reply: str, command: Command, label: str) -> str:
    """What the error `reply` to `command` from the server at `label` means.

    Neither values nor passwords are ever part of it.
    """
    code = reply.partition(" ")[0]
    if code == "NOPERM" or "no permission" in reply.lower():
        return _permission(reply, command, label)
    if "unknown command" in reply.lower() or "unknown subcommand" in reply.lower():
        return f"the server at {label} does not know the command {name_of(command)}"
    if "index is out of range" in reply and command[0] == "SELECT":
        return f"the server at {label} has no database {command[1]!s}: its setting is `databases`"
    if code in MEANINGS:
        return MEANINGS[code].format(label=label)
    return f"the server at {label} refused {name_of(command)}{_key(command)}: {reply}"


def _permission(reply: str, command: Command, label: str) -> str:
    if "key" in reply.lower() and "command" not in reply.lower().split("key")[0]:
        return (
            f"the user may not read or write the key{_key(command)} at {label}:"
            " grant its pattern with ACL SETUSER, or leave it out with gitbackup init --exclude"
        )
    words = name_of(command).lower().replace(" ", "|")
    grant = f"grant it with ACL SETUSER ... +{words}"
    return f"the user may not run {name_of(command)} at {label}: {grant}"


def name_of(command: Command) -> str:
    """The command's own words: `GET`, `XINFO STREAM`."""
    first = str(command[0]).upper()
    two = first in ("XINFO", "XGROUP", "OBJECT", "FUNCTION", "CLIENT", "CONFIG", "ACL")
    return f"{first} {str(command[1]).upper()}" if two and len(command) > 1 else first


def _key(command: Command) -> str:
    """The first word of bytes is the key, in every command that we send."""
    key = next((word for word in command if isinstance(word, bytes)), None)
    return "" if key is None else f" {codec.text(key)[:LONGEST]!r}"
