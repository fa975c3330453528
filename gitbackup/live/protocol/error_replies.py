"""What a server's error replies mean to a person, in one sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from gitbackup import wording
from gitbackup.errors import Forbidden, ForbiddenKey, NoDatabase, ServerError
from gitbackup.format import codec
from gitbackup.kinds import KINDS, Command
from gitbackup.live.protocol.slots import MASK

LONGEST = 80  # characters of a key's name in a message
NAMED = 3  # keys that a message names
MEANINGS = {
    "NOAUTH": "the server at {label} requires a password: set REDISCLI_AUTH, or put it in the URL",
    "WRONGPASS": "the server at {label} does not accept this user name and password",
    "READONLY": "the server at {label} is a read-only replica; name its primary",
    "OOM": (
        "the server at {label} has reached its maxmemory and accepts no more data: raise maxmemory"
    ),
    "MISCONF": "the server at {label} refuses writes because it cannot save to its disk",
    "LOADING": "the server at {label} is still loading its data; try again in a moment",
    "MASTERDOWN": "the replica at {label} has lost its primary; name another server",
    "BUSY": "the server at {label} is busy with a script; try again in a moment",
    "MOVED": "the server at {label} is a node of a cluster, and another node has the key",
    "ASK": (
        "the server at {label} is a node of a cluster, and is moving the key to another node: run"
        " it again after that"
    ),
    "TRYAGAIN": "the server at {label} is moving a key to another node of its cluster; try again",
    "CLUSTERDOWN": "the server at {label} is a node of a cluster that is down",
}
REDIRECTS = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")
"""With what a node of a cluster answers that does not have the key, or not now."""

OUT_OF_RANGE = ("index is out of range", "select is not allowed in cluster mode")
UNKNOWN = (
    *("unknown command", "unknown subcommand", "command is not available"),
    *("unsupported command", "command not supported", "command is not supported"),
)
"""How servers, services and proxies say that they do not have a command."""

FAMILIES = {
    *("OBJECT", "FUNCTION", "CLIENT", "CONFIG", "ACL", "SENTINEL", "CLUSTER"),
    *(word for kind in KINDS.values() for word in kind.command_families),
}
"""First words of commands whose second word says what they do."""


class Redirected(ServerError):
    """A node of a cluster does not have the key.

    `place` is the node that has its `slot`, `for_good` or while the slot is moving there; empty if
    it names none.
    """

    def __init__(
        self, sentence: str, slot: int = 0, place: str = "", for_good: bool = False
    ) -> None:
        super().__init__(sentence)
        self.slot = slot
        self.place = place
        self.for_good = for_good


def error(reply: str, command: Command, label: str) -> ServerError:
    """Return what `explain` says, as an error of the right class."""
    kind = ServerError
    if is_redirect(reply):
        return _redirected(reply, explain(reply, command, label))
    if is_out_of_range(reply) and command[0] == "SELECT":
        return NoDatabase(explain(reply, command, label), int(command[1]))
    if forbids(reply):
        kind = ForbiddenKey if forbids_key(reply) else Forbidden
    return kind(explain(reply, command, label))


def is_unknown(reply: str) -> bool:
    """Return whether the server does not have the command, or a proxy before it does not pass it
    on."""
    told = reply.lower()
    return any(words in told for words in UNKNOWN)


def is_redirect(reply: str) -> bool:
    """Return whether another node of the cluster has the key, or this one will have it later."""
    return reply.partition(" ")[0] in REDIRECTS


def _redirected(reply: str, sentence: str) -> Redirected:
    code, *words = reply.split(" ")
    number = codec.whole_number(words[0]) if len(words) == 2 else None
    if code not in ("MOVED", "ASK") or number is None:
        return Redirected(sentence)
    return Redirected(sentence, number & MASK, words[1], code == "MOVED")


def is_out_of_range(reply: str) -> bool:
    """Return whether the server does not have the database that was to be selected."""
    return any(words in reply.lower() for words in OUT_OF_RANGE)


def forbids(reply: str) -> bool:
    """Return whether a command was refused because of the user's rights."""
    return reply.startswith("NOPERM") or "no permission" in reply.lower()


def forbids_key(reply: str) -> bool:
    """Return whether it is the rights to a key that are missing, and not those to the command."""
    before = reply.lower().partition("key")[0]
    return forbids(reply) and before != reply.lower() and "command" not in before


def forbids_command(reply: str) -> bool:
    """Return whether the user may not run the command at all."""
    return forbids(reply) and not forbids_key(reply)


def right(command: str) -> str:
    """Return a command as a rule of ACL SETUSER that grants it."""
    return "+" + command.lower().replace(" ", "|")


def lacking(names: Sequence[str], label: str) -> str:
    """Return the message about commands that a user may not run."""
    grants = " ".join(map(right, names))
    them = "it" if len(names) == 1 else "them"
    return (
        f"the user has no permission to run {_joined(names)} at {label}: grant {them}"
        f" with ACL SETUSER ... {grants}"
    )


def keys_forbidden(keys: Sequence[bytes], label: str) -> str:
    """Return the message, before anything is written, about keys that a user may not write."""
    named = [repr(codec.text(key)[:LONGEST]) for key in keys[:NAMED]]
    named += [f"{len(keys) - NAMED:,} more"] if len(keys) > NAMED else []
    what = "the key" if len(keys) == 1 else "the keys"
    return (
        f"the user has no permission to write {what} {_joined(named)} at {label}:"
        " nothing has been written; grant a pattern that covers them with ACL"
        " SETUSER, or leave them out by key patterns"
    )


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def explain(reply: str, command: Command, label: str) -> str:
    """Return the meaning of the error `reply` to `command` from the server at `label`.

    Neither values nor passwords are ever part of it.
    """
    code = reply.partition(" ")[0]
    if forbids(reply):
        return _permission(reply, command, label)
    if is_unknown(reply):
        return f"the server at {label} does not know the command {name_of(command)}"
    if is_out_of_range(reply) and command[0] == "SELECT":
        return f"the server at {label} has no database {command[1]!s}: see its setting `databases`"
    if code in MEANINGS:
        return MEANINGS[code].format(label=label)
    return f"the server at {label} refused {name_of(command)}{_key(command)}: {reply}"


def _permission(reply: str, command: Command, label: str) -> str:
    if forbids_key(reply):
        include = wording.command("init --include GLOB", "init(include=[GLOB])")
        return (
            f"the user has no permission for the key{_key(command)} at {label}: grant"
            " a pattern that covers it with ACL SETUSER, or use only keys that the"
            f" user may access: commit with {include}, and"
            " restore with key globs"
        )
    return lacking([name_of(command)], label)


def name_of(command: Command) -> str:
    """Return the command's name: `GET`, `XINFO STREAM`."""
    first = str(command[0]).upper()
    two = first in FAMILIES and len(command) > 1
    return f"{first} {str(command[1]).upper()}" if two else first


def _key(command: Command) -> str:
    """Return the key of a command: in every command that we send, its first word of bytes."""
    key = next((word for word in command if isinstance(word, bytes)), None)
    return "" if key is None else f" {codec.text(key)[:LONGEST]!r}"
