"""The shapes of replies: a reply of another shape is not valid, whoever sent it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import base

LARGEST = 2**63


def is_number(reply: Any) -> bool:
    return type(reply) is int and -LARGEST <= reply < LARGEST


def are_numbers(replies: Iterable[Any]) -> bool:
    return all(map(is_number, replies))


def are_texts(replies: Any) -> bool:
    return type(replies) is list and {*map(type, replies)} <= {str}


def mapping(reply: Any) -> dict[str, Any]:
    """Return a map of names. Raises TypeError or ValueError for anything else."""
    if not isinstance(reply, dict | list):
        raise TypeError
    found = base.mapping(reply)
    if not {*map(type, found)} <= {str}:
        raise TypeError
    return found


def is_text(reply: Any) -> bool:
    return type(reply) is str


def text_or_none(reply: Any) -> bool:
    return reply is None or type(reply) is str


def large_text_or_none(reply: Any) -> bool:
    return text_or_none(reply) or type(reply) is codec.Written


def number_or_none(reply: Any) -> bool:
    return reply is None or is_number(reply)


def is_digits(text: Any) -> bool:
    return type(text) in (str, bytes) and text.isdigit() and len(text) <= 20


def is_scan(reply: Any) -> bool:
    cursor, found = reply
    texts = {str, bytes, codec.Written}
    return is_digits(cursor) and type(found) is list and {*map(type, found)} <= texts
