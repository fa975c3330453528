"""RESTORE.txt beside a bundle: what the file is, and how it comes back, in English and Chinese.

It is written for whoever finds the folder years later, on a machine without gitbackup. A file of
that name that is not about this bundle stays as it is; ours gets the bundle's name before its own.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from gitbackup.errors import GitbackupError
from gitbackup.store.git.command import file_errors
from gitbackup.system.atomic_file import replace_file

NAME = "RESTORE.txt"
_LINE = re.compile(r"\[(plain|age|id|key|both)\](?: |$)")
_MOST = 1 << 20


def write(
    bundle: Path, to: Sequence[str] = (), key_file: Path | None = None, by_key: str = ""
) -> list[str]:
    """Write the file beside a bundle, if it is not there as it should be; return what to warn of.

    `to` are the public keys that the bundle is encrypted to, and `by_key` is that of the key file.
    """
    path = _place(bundle)
    told = text(bundle.name, path.name, to, key_file.name if key_file else "", by_key)
    content = told.encode("utf-8", "surrogateescape")  # a file's name may be any bytes
    try:
        with file_errors(f"write {path}"):
            if _content(path) != content:
                replace_file(path, content)
    except GitbackupError as error:
        return [str(error)]
    return []


def text(bundle: str, name: str, to: Sequence[str], key_file: str, by_key: str) -> str:
    """Return the text for a bundle of that name; `name` is its own."""
    kinds = {"age"} if to else {"plain"}
    if by_key:
        kinds.add("key")
    if [key for key in to if key != by_key]:
        kinds.add("id")
    if {"key", "id"} <= kinds:
        kinds.add("both")
    needed = [word for kind, word in (("id", "your private key"), ("key", "the passphrase"))
              if kind in kinds]  # fmt: skip
    plain = bundle.removesuffix(".age") if to else bundle
    keys = [f"{key} (that of {key_file})" if key == by_key else key for key in to]
    values = {
        "FILE": bundle,
        "KEY_FILE": key_file,
        "AND_KEY": "".join([" and ", ", or ".join(needed)]) if needed else "",
        "AND_AGE": ", and age" if to else "",
        "TO": "\n".join(f"  {key}" for key in keys),
        "PACKAGE": "'./gitbackup[encrypt]'" if to else "./gitbackup",
        "ARG": _argument(bundle),
        "PLAIN_ARG": _argument(plain),
        "KEY_ARG": _argument(key_file),
        "TXT_ARG": _argument(name),
    }
    lines = []
    for line in files(__package__).joinpath(NAME).read_text("utf-8").splitlines():
        found = _LINE.match(line)
        if found is None or found[1] in kinds:
            lines.append(line[found.end() :] if found else line)
    whole = "\n".join(lines) + "\n"
    return re.sub("@([A-Z_]+)@", lambda found: values.get(found[1], found[0]), whole)


def _argument(name: str) -> str:
    """Return a file's name as a shell takes it, and as no command takes it for an option."""
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


def _place(bundle: Path) -> Path:
    """Return where the file goes: beside the bundle, and not in place of what is not ours."""
    path = bundle.with_name(NAME)
    plain = bundle.name.removesuffix(".age")
    begin = (_content(path) or b"").partition(b": ")[0].decode("utf-8", "replace")
    if not os.path.lexists(path) or begin in (plain, f"{plain}.age"):
        return path
    return bundle.with_name(f"{plain.removesuffix('.bundle')}.{NAME}")


def _content(path: Path) -> bytes | None:
    """Return what a file has; None if there is none, or it is not a file of such a size."""
    try:
        careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # not on Windows
        handle = os.open(path, os.O_RDONLY | careful | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        try:
            return file.read(_MOST)
        except OSError:
            return None
