"""A node of a cluster: it is read as a single server if it has all slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitbackup.errors import ServerError
from gitbackup.kinds import Command
from gitbackup.live.connection.address import place_of
from gitbackup.live.connection.connection import Connection, Refusal

SLOTS = 16_384
QUESTIONS: Sequence[Command] = (("CLUSTER", "SLOTS"), ("CLUSTER", "MYID"))


def expect_all_slots(connection: Connection) -> None:
    """Raise ServerError where other nodes have keys, or the user may not ask for that."""
    replies = connection.ask([*QUESTIONS])
    for question, reply in zip(QUESTIONS, replies, strict=True):
        if isinstance(reply, Refusal):
            raise connection.refused(reply, question)
    ranges, own = replies
    try:
        count = sum(stop - start + 1 for start, stop, primary, *_ in ranges if primary[2] == own)
        others = {place_of(*primary[:2]) for _, _, primary, *_ in ranges if primary[2] != own}
    except (TypeError, ValueError, IndexError):
        raise connection.nonsense(QUESTIONS[0]) from None
    if count < SLOTS:
        raise ServerError(_refusal(connection.label, count, others))


def _refusal(label: str, count: int, others: set[Any]) -> str:
    told = f"the server at {label} is in cluster mode and has {count:,} of {SLOTS:,} slots"
    if not count and len(others) == 1:
        return f"{told}: name the primary, {others.pop()}"
    return (
        f"{told}: gitbackup can read a cluster only if one primary has all slots, because"
        " otherwise no node has all keys"
    )
