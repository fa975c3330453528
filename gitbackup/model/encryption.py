"""The keys that a copy of the history is encrypted to, and those that open it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

AskPassphrase = Callable[[str, bool], str]
"""Returns the passphrase of a file, by its name; with True, a new one that somebody chooses."""


@dataclass(frozen=True, slots=True)
class EncryptionKeys:
    """The keys of an encrypted bundle.

    - `recipients`: the public keys that it is encrypted to: `age1...`, or of ssh;
    - `identities`: files with private keys, any of which may open it;
    - `passphrase`: asks for the passphrase of its key file; None if nobody can be asked;
    - `by_passphrase`: whether it is encrypted to a key that a passphrase opens, and opened so;
    - `named`: whether somebody named the recipients for this push, and not a setting.
    """

    recipients: tuple[str, ...] = ()
    identities: tuple[Path, ...] = ()
    passphrase: AskPassphrase | None = field(default=None, repr=False)
    by_passphrase: bool = False
    named: bool = False


NO_KEYS = EncryptionKeys()
