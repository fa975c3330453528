"""What a server does when memory is full, when it is gone, and when a stranger comes, judged."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gitbackup.checks.persistence import FULL, setting, unknown
from gitbackup.live.server.health import Health
from gitbackup.model.amounts import counted, size
from gitbackup.model.risk import Level, Risk

MEMORY, GONE, STRANGER = "memory runs full", "the server is down", "a stranger connects"
KEEPS = "noeviction"


def judge(health: Health) -> Iterator[Risk]:
    """A Risk for its memory, for its replicas, and for who can log in."""
    yield _memory(health)
    yield _replicas(health)
    yield _access(health)


def _memory(health: Health) -> Risk:
    told = {**health.config, **health.info}
    limit = told.get("maxmemory")
    policy = told.get("maxmemory_policy", told.get("maxmemory-policy"))
    if limit is None or policy is None:
        return unknown("memory", MEMORY, health.no_info)
    evicted = health.number("evicted_keys")
    if evicted:
        have = "key has" if evicted == 1 else "keys have"
        lost = f"{evicted:,} {have} been evicted since it started ({policy})"
        return _drops(health, lost, Level.BAD)
    if limit == "0":
        return Risk("memory", MEMORY, "no maxmemory: no key is evicted", Level.OK)
    if policy != KEEPS:
        every = policy.startswith("allkeys")
        which = "any key" if every else "keys with an expiry"
        risk = f"{policy}: it evicts {which} above {size(int(limit))}"
        return _drops(health, risk, Level.BAD if every else Level.WARN)
    if health.number("used_memory") > FULL * int(limit):
        told_ = f"nearly full: above {size(int(limit))} it refuses writes"
        advice = "Give it more memory, or delete what is not needed."
        return Risk("memory", MEMORY, told_, Level.WARN, advice)
    told_ = f"{KEEPS}: above {size(int(limit))} it refuses writes"
    return Risk("memory", MEMORY, told_, Level.OK)


def _drops(health: Health, told: str, level: Level) -> Risk:
    """A server that throws data away, by what it is told to."""
    more, commands = setting(health, "maxmemory-policy", KEEPS)
    advice = "If this is not just a cache, let it refuse writes instead of evicting keys." + more
    return Risk("memory", MEMORY, told, level, advice, commands)


def _replicas(health: Health) -> Risk:
    check, role = "replicas", health.info.get("role")
    if role is None:
        return unknown(check, GONE, health.no_info)
    if role == "slave":
        return _replica(health)
    listed = [value for name, value in health.info.items() if _names_a_replica(name)]
    online = sum("state=online" in value for value in listed)
    if online:
        told = f"{counted(online, 'replica')} connected"
        return Risk(check, GONE, told, Level.OK)
    told = "its replicas are not in sync yet" if listed else "no replica: there is no second server"
    advice = "If you cannot wait for a restore, run a replica; a replica is not a backup."
    return Risk(check, GONE, told, Level.WARN, advice)


def _names_a_replica(name: str) -> bool:
    return name.startswith("slave") and name[5:].isdecimal()


def _replica(health: Health) -> Risk:
    place = ":".join(health.info.get(name, "?") for name in ("master_host", "master_port"))
    if health.info.get("master_link_status") == "up":
        return Risk("replicas", GONE, f"this is a replica of {place}, in sync", Level.OK)
    advice = "Check that the primary runs, and that this server can reach it and log in."
    told = f"this is a replica of {place}, but not connected to it"
    return Risk("replicas", GONE, told, Level.BAD, advice)


def _access(health: Health) -> Risk:
    check = "access"
    if health.password:
        return Risk(check, STRANGER, "gitbackup logs in with a password", Level.OK)
    bind, protected = health.config.get("bind"), health.config.get("protected-mode")
    if bind is None or protected is None:
        return unknown(
            check, STRANGER, health.no_config, "no password; who can reach it is unknown"
        )
    if health.info.get("tcp_port") == "0" or not _public(bind):
        return Risk(check, STRANGER, "no password; only this machine can reach it", Level.OK)
    if protected == "yes" and not (bind.split() and _old(health)):
        return Risk(check, STRANGER, "no password; protected mode refuses other machines", Level.OK)
    more, commands = setting(health, "requirepass", "'a long secret'")
    told = "no password: whoever can reach its port can read and delete everything"
    advice = "Set a password (and REDISCLI_AUTH for gitbackup), or bind it to 127.0.0.1."
    return Risk(check, STRANGER, told, Level.WARN, advice + more, commands)


def _old(health: Health) -> bool:
    """Whether its protected mode is off as soon as it is told an address to listen to."""
    return health.info.get("redis_version", "").startswith("6.")


def _public(bind: str) -> bool:
    """Whether it listens to more than this machine; no address at all is every one."""
    return not bind.split() or not all(map(_loopback, bind.split()))


def _loopback(told: str) -> bool:
    address = told.removeprefix("-")
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
