"""Encryption of files with age, by the package pyrage, which is imported when it is needed.

`age -d` opens what is written here, without gitbackup. A passphrase opens a key file: an age
identity that is encrypted with the passphrase, as `age-keygen | age -p` makes it. So a push needs
no passphrase, and files of any size are encrypted piece by piece.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from gitbackup import wording
from gitbackup.errors import Damaged, GitbackupError, UsageError
from gitbackup.model.encryption import EncryptionKeys
from gitbackup.store.git.command import file_errors

_BINARY, _ARMOR = b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"
_SSH = b"-----BEGIN "
_MOST = 1 << 20  # bytes of a file with private keys
_MEASUREMENTS = 20  # of how fast this machine is, until one says that it is fast enough
_SECRET, _PLUGIN = "AGE-SECRET-KEY-", "AGE-PLUGIN-"


class KeyFile(NamedTuple):
    """A new key file: its content, and the public key to encrypt to."""

    content: bytes
    recipient: str


def is_encrypted(path: Path) -> bool:
    """Return whether a file begins as those of age do. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return file.read(len(_ARMOR)).startswith((_BINARY, _ARMOR))


def check_recipient(word: str) -> None:
    """Raise UsageError for what is not a public key."""
    _recipient(word)


def encrypt(source: Path, to: Sequence[str], target: BinaryIO) -> str:
    """Encrypt a file; return the SHA-256 of what was written."""
    pyrage, keys = _pyrage(), [_recipient(word) for word in to]
    with source.open("rb") as plain:
        written = _Digest(target)
        _run(pyrage.encrypt_io, plain, written, keys, doing="write the encrypted bundle")
    return written.hexdigest()


def decrypt(source: Path, identities: Sequence[Any], target: BinaryIO) -> str:
    """Decrypt a file; return the SHA-256 of its encrypted bytes.

    Raises UsageError if no identity opens it, Damaged if it is not what was once written.
    """
    pyrage = _pyrage()
    with file_errors("read the bundle"), source.open("rb") as sealed:
        if not is_encrypted(source):
            raise Damaged(
                f"{source} is not encrypted, though its name says so: it is not the file that"
                " gitbackup wrote, so it was not used"
            )
        read = _Digest(sealed)
        try:
            _run(pyrage.decrypt_io, read, target, identities, doing="write the decrypted bundle")
        except pyrage.DecryptError as error:
            if "No matching keys" in str(error):
                raise UsageError(
                    f"{source} cannot be opened with this key: it was encrypted to other ones"
                ) from None
            raise _incomplete(source) from None
        except ValueError:
            raise _incomplete(source) from None
        return read.hexdigest()


def only_key(path: Path, identities: Sequence[Any]) -> str | None:
    """Return the public key of the one private key that has opened a file, if the file is
    encrypted to nobody else; None if that cannot be told."""
    if len(identities) != 1 or not hasattr(identities[0], "to_public"):  # those of ssh have none
        return None
    with path.open("rb") as file:
        head = file.read(_MOST).partition(b"\n---")[0]
    kinds = [words[1] for line in head.splitlines() if (words := line.split())[:1] == [b"->"]]
    others = [kind for kind in kinds if not kind.endswith(b"-grease")]  # what age adds for nobody
    return str(identities[0].to_public()) if len(others) == 1 else None


def new_key(passphrase: str) -> KeyFile:
    """Return a new key that the passphrase opens."""
    pyrage = _pyrage()
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    plain = f"# public key: {recipient}\n{identity}\n".encode()
    return KeyFile(pyrage.passphrase.encrypt(plain, passphrase, armored=True), recipient)


def opened_key(path: Path, passphrase: str) -> list[Any]:
    """Return the identities in a key file. Raises UsageError for another passphrase."""
    return _identities(path, _decrypted(path, read_key(path), passphrase))


def _decrypted(path: Path, content: bytes, passphrase: str) -> bytes:
    """Return what a passphrase opens.

    pyrage refuses a file that would take it too long, which it judges by a measurement of some
    milliseconds. On a busy machine that fails by chance, so that it is asked again.
    """
    pyrage, tries = _pyrage(), 0
    while True:
        try:
            return bytes(pyrage.passphrase.decrypt(content, passphrase))
        except pyrage.DecryptError as error:
            tries += 1
            if tries < _MEASUREMENTS and str(error).startswith("Excessive"):
                continue
            sentence = f"the passphrase does not open {path}, or that file is damaged"
            raise UsageError(sentence) from None


def public_key(path: Path, passphrase: str) -> str:
    """Return the public key of a key file. Raises UsageError for another passphrase."""
    return str(opened_key(path, passphrase)[0].to_public())


def read_key(path: Path) -> bytes:
    """Return the content of a file with private keys."""
    with file_errors("read the key"), path.open("rb") as file:
        content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise UsageError(f"{path} is too large for a file of keys")
    return content


def identities_of(keys: EncryptionKeys, key_file: Path, bundle: Path) -> list[Any]:
    """Return what opens a bundle; `key_file` is the one beside it, if there is one.

    Raises UsageError if nobody said which key it is, or if a file has none.
    """
    found = [each for path in keys.identities for each in _from_file(path, keys)]
    if key_file.is_file() and keys.passphrase and (keys.by_passphrase or not found):
        found += opened_key(key_file, keys.passphrase(str(key_file), False))
    if found:
        return found
    if keys.by_passphrase and not key_file.is_file():
        raise UsageError(f"there is no {key_file}, which the passphrase would open")
    ways = f"{wording.option('--identity FILE', 'identities')} names the file with its key"
    if key_file.is_file():
        word = wording.option("--passphrase or --passphrase-file FILE", "passphrase")
        ways += f", and {word} gives its passphrase"
    raise UsageError(f"{bundle} is encrypted: {ways}")


def _from_file(path: Path, keys: EncryptionKeys) -> list[Any]:
    content = read_key(path)
    if not content.startswith((_BINARY, _ARMOR)):
        return _identities(path, content)
    if keys.passphrase is None:
        word = wording.option("--passphrase-file FILE", "passphrase")
        raise UsageError(f"{path} is encrypted: {word} gives its passphrase")
    return opened_key(path, keys.passphrase(str(path), False))


def _identities(path: Path, content: bytes) -> list[Any]:
    """Return the private keys in a file that is not encrypted."""
    pyrage = _pyrage()
    try:
        if content.startswith(_SSH):
            return [pyrage.ssh.Identity.from_buffer(content)]
        lines = [line.strip() for line in content.decode("ascii").splitlines()]
        words = [line for line in lines if line and not line.startswith("#")]
        if any(word.startswith(_PLUGIN) for word in words):
            raise UsageError(f"{path} has a key of an age plugin, which gitbackup cannot use")
        if words and all(word.startswith(_SECRET) for word in words):
            return [pyrage.x25519.Identity.from_str(word) for word in words]
    except (UnicodeDecodeError, pyrage.IdentityError):
        pass
    raise UsageError(
        f"{path} has no private key that can be used: it must have lines {_SECRET}1..., as"
        " age-keygen writes them, or be an ssh key without a passphrase"
    )


def _recipient(word: str) -> Any:
    pyrage = _pyrage()
    try:
        if word.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(word)
        return pyrage.x25519.Recipient.from_str(word)
    except pyrage.RecipientError:
        secret = word.upper().startswith(_SECRET)
        shown = "a private key" if secret else repr(word[:80])
        raise UsageError(
            f"{shown} is not a public key to encrypt to; those of age begin with age1, as"
            " `age-keygen -y FILE` prints them, and those of ssh with ssh-"
        ) from None


class _Digest:
    """A file that is read, or written to, and the SHA-256 of what went through.

    pyrage words every error of a file anew, so `error` keeps what it was.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = hashlib.sha256()
        self.error: OSError | None = None

    def read(self, count: int = -1) -> bytes:
        piece = self._kept(self._file.read, count)
        self._sum.update(piece)
        return piece  # type: ignore[no-any-return]

    def write(self, piece: bytes) -> int:
        count = self._kept(self._file.write, piece)
        self._sum.update(piece[:count])
        return count  # type: ignore[no-any-return]

    def flush(self) -> None:
        self._kept(self._file.flush)

    def hexdigest(self) -> str:
        return self._sum.hexdigest()

    def _kept(self, work: Any, *values: Any) -> Any:
        try:
            return work(*values)
        except OSError as error:
            self.error = error
            raise


def _run(work: Any, source: Any, target: Any, keys: Iterable[Any], doing: str) -> None:
    """Run a function of pyrage from file to file. Raises ValueError if the content is wrong."""
    ends = [each if isinstance(each, _Digest) else _Digest(each) for each in (source, target)]
    with file_errors(doing):
        try:
            work(*ends, [*keys])
            _expect_sound(ends)  # pyrage says nothing of what fails at the very end
        except Exception as error:
            _expect_sound(ends)
            if isinstance(error, OSError):
                raise ValueError(str(error)) from None
            raise
        finally:  # its traceback has whoever called, and so the file: nothing would be freed
            for end in ends:
                end.error = None


def _expect_sound(ends: Iterable[_Digest]) -> None:
    """Raise the error that one of the files had, if any."""
    for end in ends:
        if end.error:
            raise end.error from None


def _incomplete(path: Path) -> Damaged:
    return Damaged(
        f"{path} is damaged or not complete; if a cloud drive is still copying it, wait and try"
        " again"
    )


def _pyrage() -> Any:
    try:
        import pyrage  # deferred: it is an extra, and only encrypted bundles need it
    except ImportError:
        raise GitbackupError(
            "encryption needs the Python package pyrage: pip install 'gitbackup[encrypt]', or with"
            " pipx: pipx inject gitbackup pyrage"
        ) from None
    return pyrage
