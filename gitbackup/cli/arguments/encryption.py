"""The options of commands that write or read encrypted bundles, and where passphrases come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from gitbackup.cli.arguments.options import Command
from gitbackup.cli.output import terminal
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.model.encryption import AskPassphrase, EncryptionKeys

_LONGEST = 4096  # bytes of a passphrase
_PASSPHRASE, _FILE = "GITBACKUP_PASSPHRASE", "GITBACKUP_PASSPHRASE_FILE"

encrypt_to_option = click.option(
    "--encrypt-to",
    metavar="KEY",
    multiple=True,
    help="Encrypt the bundle to this public key: age1..., or an ssh key. Repeatable."
    " [default: the setting encrypt-to]",
)


def identity_options(command: Command) -> Command:
    """Give a command the options that open an encrypted bundle."""
    for option in (
        click.option(
            "--passphrase-file",
            metavar="FILE",
            help="The same, with the passphrase on the first line of FILE; - is standard input.",
        ),
        click.option(
            "--passphrase",
            is_flag=True,
            help="Use the key file beside the bundle, which a passphrase opens: asked for, or from"
            f" {_PASSPHRASE} or {_FILE}.",
        ),
        click.option(
            "--identity",
            metavar="FILE",
            multiple=True,
            type=click.Path(path_type=Path),
            envvar="GITBACKUP_IDENTITY",
            help="Open an encrypted bundle with the private key in FILE. Repeatable."
            " [default: the setting identity]",
        ),
    ):
        command = option(command)
    return command


def keys_of(
    identity: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: str | None,
    encrypt_to: tuple[str, ...] = (),
) -> EncryptionKeys:
    """Return the keys that the options name."""
    by_passphrase = passphrase or passphrase_file is not None
    ask = _asked(passphrase_file)
    if by_passphrase and ask is None:
        raise UsageError(
            "nobody is here to type a passphrase: name a file that has it with --passphrase-file"
            f" FILE, or set {_PASSPHRASE} or {_FILE}"
        )
    return EncryptionKeys(encrypt_to, identity, ask, by_passphrase)


def _asked(file: str | None) -> AskPassphrase | None:
    """Return what gets a passphrase: from a file, the environment, or whoever is at the terminal;
    None if there is none of these."""
    file = file or os.environ.get(_FILE) if not os.environ.get(_PASSPHRASE) or file else None
    if file:
        return _once(lambda: first_line_of(file, "passphrase"))
    if os.environ.get(_PASSPHRASE):
        return _once(lambda: os.environ[_PASSPHRASE])
    return _typed if terminal.asks() else None


def _once(read: Callable[[], str]) -> AskPassphrase:
    """Return what gets a passphrase that is read once, for a pipe can be read only once."""
    known: list[str] = []

    def ask(of: str, is_new: bool) -> str:
        if not known:
            known.append(read())
        return known[0]

    return ask


def _typed(of: str, is_new: bool) -> str:
    what = f"New passphrase for {terminal.seen(of)}" if is_new else f"Passphrase of {of}"
    typed = click.prompt(what, hide_input=True, confirmation_prompt=is_new, err=True)
    return str(typed)


def first_line_of(file: str, what: str) -> str:
    """Return the secret on the first line of a file, which may be a pipe; of standard input if it
    is `-`. `what` it is called."""
    try:
        with click.open_file(file, "rb") as stream:
            content = stream.read(_LONGEST + 1).partition(b"\n")[0].rstrip(b"\r")
    except OSError as error:
        raise GitbackupError(f"cannot read {file}: {error.strerror or error}") from error
    if not content or len(content) > _LONGEST:
        raise UsageError(f"{file} has no {what} on its first line, or a too long one")
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"the {what} in {file} is not text in UTF-8") from None
