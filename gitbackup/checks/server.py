"""What a server does when memory is full, when it is gone, and when a stranger connects, judged."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from functools import partial

from gitbackup.checks.persistence import FULL, accept, setting, unknown
from gitbackup.live.protocol.info import number
from gitbackup.live.server.health import Health
from gitbackup.model.amounts import counted, size
from gitbackup.model.safety.risk import Level, Risk

MEMORY, GONE, STRANGER = "memory runs full", "the server is down", "a stranger connects"
KEEPS = "noeviction"
PASSWORD_FILE = "~/.redis-password"  # noqa: S105  where one is kept
MAKE_PASSWORD = (
    f"[ -s {PASSWORD_FILE} ] || (umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -dc 0-9a-f"
    f" > {PASSWORD_FILE})"
)


def judge(health: Health) -> Iterator[Risk]:
    """Yield a Risk for its memory, for its replicas, and for who can log in."""
    yield _memory(health)
    yield _replicas(health)
    yield _access(health)


def _memory(health: Health) -> Risk:
    known = {**health.config, **health.info}
    limit = known.get("maxmemory")
    policy = known.get("maxmemory_policy", known.get("maxmemory-policy"))
    if limit is None or policy is None:
        return unknown("memory", MEMORY, health.no_info)
    risk = partial(Risk, "memory", MEMORY)
    if evicted := health.number("evicted_keys"):
        have = "key has" if evicted == 1 else "keys have"
        state = f"{evicted:,} {have} been evicted since it started ({policy})"
        if policy == KEEPS or limit == "0":
            advice = "See what is gone (gitbackup diff), then let the server count anew:"
            return risk(state, Level.WARN, advice, (f"{health.redis_cli} CONFIG RESETSTAT",))
        level = Level.BAD
    elif limit == "0":
        return risk("no maxmemory: no key is evicted", Level.OK)
    elif policy == KEEPS:
        above = f"above {size(number(known, 'maxmemory'))} it refuses writes"
        if health.number("used_memory") <= FULL * number(known, "maxmemory"):
            return risk(f"{KEEPS}: {above}", Level.OK)
        advice = "Give it more memory, or delete what is not needed."
        return risk(f"nearly full: {above}", Level.WARN, advice)
    else:
        every = policy.startswith("allkeys")
        which = "any key" if every else "keys with an expiry"
        state = f"{policy}: it evicts {which} above {size(number(known, 'maxmemory'))}"
        level = Level.BAD if every else Level.WARN
    more, commands = setting(health, "maxmemory-policy", KEEPS)
    advice = "If this is not just a cache, let it refuse writes instead of evicting keys." + more
    return risk(state, level, advice, commands)


def _replicas(health: Health) -> Risk:
    role = health.info.get("role")
    if role is None:
        return unknown("replicas", GONE, health.no_info)
    risk = partial(Risk, "replicas", GONE)
    if role == "slave":
        place = ":".join(health.info.get(name, "?") for name in ("master_host", "master_port"))
        if health.info.get("master_link_status") == "up":
            return risk(f"this is a replica of {place}, in sync", Level.OK)
        advice = "Check that the primary runs, and that this server can reach it and log in."
        state = f"this is a replica of {place}, but not connected to it"
        return risk(state, Level.BAD, advice)
    replicas = [
        value
        for name, value in health.info.items()
        if name.startswith("slave") and name[5:].isdecimal()
    ]
    if online := sum("state=online" in value for value in replicas):
        return risk(f"{counted(online, 'replica')} connected", Level.OK)
    lacking = "no replica: there is no second server"
    if replicas:
        advice = "Wait until they are, then check again."
        return risk("its replicas are not in sync yet", Level.WARN, advice)
    advice = "If you cannot wait for a restore, run a replica; a replica is not a backup."
    advice += " If you can wait, accept it:"
    return risk(lacking, Level.WARN, advice, (accept("replicas"),))


def _access(health: Health) -> Risk:
    risk = partial(Risk, "access", STRANGER)
    if health.password:
        return risk("gitbackup logs in with a password", Level.OK)
    bind, protected = health.config.get("bind"), health.config.get("protected-mode")
    if bind is None or protected is None:
        why = "no password; who can reach it is unknown"
        return unknown("access", STRANGER, health.no_config, why)
    addresses = bind.split()  # none means every address
    only_here = bool(addresses) and all(map(_is_loopback, addresses))
    if health.info.get("tcp_port") == "0" or only_here:
        return risk("no password; only this machine can reach it", Level.OK)
    # the protected mode of Redis 6 is off as soon as it is told an address to listen to
    old = health.info.get("redis_version", "").startswith("6.")
    if protected == "yes" and not (addresses and old):
        return risk("no password; protected mode refuses other machines", Level.OK)
    state = "no password: whoever can reach its port can read and delete everything"
    advice, commands = _password(health)
    return risk(state, Level.WARN, advice, commands)


def _password(health: Health) -> tuple[str, Sequence[str]]:
    """Return how to give a server a password: advice, and the commands."""
    advice = "Set a password, and tell it to your programs, or bind the server to 127.0.0.1."
    names = ["requirepass"]
    if health.info.get("cluster_enabled") == "1" or health.number("connected_slaves"):
        names = ["masterauth", "requirepass"]
        advice += (
            " Set it at the replicas too, both as masterauth and as requirepass: else they cannot"
            " follow their primaries."
        )
    start = f"{' and '.join(f'--{name}' for name in reversed(names))} and the password"
    more, commands = setting(health, "requirepass", "", start)
    if not commands:
        return advice + more, ()
    _, *rewrite = commands
    change = (f"{health.redis_cli} -x CONFIG SET {name} < {PASSWORD_FILE}" for name in names)
    login = f'export REDISCLI_AUTH="$(cat {PASSWORD_FILE})"'
    advice += f"{more} These lines make one in {PASSWORD_FILE}:"
    return advice, (MAKE_PASSWORD, *change, login, *rewrite)


def _is_loopback(address: str) -> bool:
    address = address.removeprefix("-")
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
