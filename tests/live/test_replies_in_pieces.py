"""Replies arrive in pieces, which end anywhere: the same replies are read."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import threading
from collections.abc import Sequence

import pytest

from gitbackup.format import codec
from gitbackup.live.protocol.bulk_parser import LARGE, BulkParser

TEXT = "x" * (LARGE + 1)
SENT = (
    f"${len(TEXT)}\r\n{TEXT}\r\n:-1\r\n*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n$0\r\n\r\n"
).encode()
AFTER = SENT[len(TEXT) :]


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("end", range(1, len(AFTER)))
def test_a_piece_may_end_anywhere(end: int, written: bool) -> None:
    """Also one that ends where a reply has only begun, after a large text."""
    at = len(SENT) - len(AFTER) + end
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        sender = threading.Thread(target=_send, args=(theirs, ours, (SENT[:at], SENT[at:])))
        sender.start()
        parser = BulkParser(ours)
        replies = parser.many(4, written=written)
        sender.join()
    text, *others = replies
    assert (codec.unwritten(text) if type(text) is codec.Written else text) == TEXT
    assert others == [-1, ["0", ["a", "b"]], ""]
    assert parser.told == [["invalidate", ["k"]]]


def _send(theirs: socket.socket, ours: socket.socket, pieces: Sequence[bytes]) -> None:
    """Send each piece once all before it was received."""
    for piece in pieces:
        theirs.sendall(piece)
        while struct.unpack("i", fcntl.ioctl(ours, termios.FIONREAD, bytes(4)))[0]:
            pass
