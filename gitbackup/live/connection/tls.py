"""Speaking TLS to a server, and what goes wrong with that, in one sentence each."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from gitbackup import wording
from gitbackup.errors import UsageError
from gitbackup.model.server.access import Access

REQUIRED = "required"
VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, REQUIRED: ssl.CERT_REQUIRED}
AT_ONCE = 2.0  # seconds, after which a server that does not shake hands is asked in plain words
SELF_SIGNED, IN_CHAIN, NO_ISSUER, NOT_YET, EXPIRED = 18, 19, 20, 9, 10
OTHER_NAMES = (62, 64)
REJECTED = "does not accept the client certificate: name another with {cert} and {key}"
OURS = {
    "CERTIFICATE_REQUIRED": "requires a client certificate: name one with {cert} and {key}",
    "HANDSHAKE_FAILURE": "broke off; it may require a client certificate: {cert} and {key}",
    "UNKNOWN_CA": (
        "does not know the CA that signed the client certificate: name another with"
        " {cert} and {key}"
    ),
    "ALERT_CERTIFICATE_EXPIRED": "says that the client certificate has expired: renew it",
    "BAD_CERTIFICATE": REJECTED,
    "CERTIFICATE_UNKNOWN": REJECTED,
    "PROTOCOL_VERSION": "supports no TLS version that gitbackup supports",
}
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_MESSAGE")
PLAIN = "the server at {label} does not use TLS on that port: its URL begins with redis://"
SECURE = "the server at {label} uses TLS on that port: its URL begins with rediss://"


def secured(plain: socket.socket, host: str, options: Mapping[str, Any]) -> socket.socket:
    """Return a socket that speaks TLS through a connected one, whose patience it has after the
    handshake.

    Raises OSError if the other end does not, or is not whom it should be, UsageError for options
    that make no sense.
    """
    try:
        context = _context(options)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or next(reversed(error.args), error)
        raise UsageError(f"the ssl_... options of the Redis URL cannot be used: {why}") from None
    patience = plain.gettimeout()
    plain.settimeout(options.get("shake", AT_ONCE))
    secure = context.wrap_socket(plain, server_hostname=options.get("sni") or host)
    secure.settimeout(patience)
    return secure


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    mode = VERIFY[options.get("ssl_cert_reqs", REQUIRED)]
    context.check_hostname = mode != ssl.CERT_NONE and options.get("ssl_check_hostname", True)
    context.verify_mode = mode
    authorities = options.get("ssl_ca_certs"), options.get("ssl_ca_path")
    if any(authorities):
        context.load_verify_locations(*authorities)
    if certificate := options.get("ssl_certfile"):
        password = options.get("ssl_password")
        context.load_cert_chain(certificate, options.get("ssl_keyfile"), password)
    if "ssl_min_version" in options:
        context.minimum_version = ssl.TLSVersion(options["ssl_min_version"])
    if "ssl_ciphers" in options:
        context.set_ciphers(options["ssl_ciphers"])
    return context


def options(access: Access) -> dict[str, Any]:
    """Return the options for `secured()`. Raises UsageError for files that are not what they should
    be."""
    _expect_sound(access)
    made: dict[str, Any] = {"sni": access.sni}
    files = {
        "ssl_ca_certs": access.cacert,
        "ssl_ca_path": access.cacertdir,
        "ssl_certfile": access.cert,
        "ssl_keyfile": access.key,
    }
    made |= {name: file for name, file in files.items() if file}
    if access.insecure:
        made |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return made


def _expect_sound(access: Access) -> None:
    """Raise UsageError for a name that no server can have, and for files that are none of these."""
    if access.sni and not _is_name(access.sni):
        raise UsageError(
            f"{access.sni!r}, which {wording.option('--sni')} names, is not the name of a server"
        )
    for name in ("cacert", "cert", "key"):
        if (file := getattr(access, name)) and not Path(file).is_file():
            raise UsageError(
                f"there is no file {file!r}, which {wording.option('--' + name)} names"
            )
    if access.cacertdir and not Path(access.cacertdir).is_dir():
        raise UsageError(
            f"there is no folder {access.cacertdir!r}, which {wording.option('--cacertdir')} names"
        )
    if access.key and not access.cert:
        raise UsageError(
            f"{wording.option('--key')} needs {wording.option('--cert')}: name the certificate"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in filter(None, (access.cacert, access.cert)):
        with _readable(file, "certificate"):
            context.load_verify_locations(file)
    if access.cert:
        key = access.key or access.cert
        with _readable(
            key, f"private key: name its file with {wording.option('--key')}", access.cert
        ):
            context.load_cert_chain(access.cert, key, password=_no_password)


def _is_name(word: str) -> bool:
    try:
        word.encode("idna")
    except UnicodeError:
        return False
    return word.isprintable()


@contextmanager
def _readable(file: str, what: str, certificate: str = "") -> Iterator[None]:
    """Raise UsageError, which names the file, if what it should contain cannot be loaded."""
    try:
        yield
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(
                f"the key in {file!r} does not match the certificate in {certificate!r}"
            ) from None
        noun, colon, advice = what.partition(":")
        raise UsageError(f"{file!r} contains no {noun} in PEM format{colon}{advice}") from None
    except OSError as error:
        raise UsageError(f"{file!r} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(
            f"the key in {file!r} has a password: name a key without a password with"
            f" {wording.option('--key')}"
        ) from None


def _no_password() -> str:
    raise ValueError("password")


def meaning(
    error: BaseException | None, label: str, host: str, authorities: str | None = None
) -> str | None:
    """Return what an error of TLS, or a consequence of one, means; None for any other.

    `authorities` is the file of certificates that the server's is to be signed by.
    """
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    if error is None or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unverified(error, label, host, authorities)
    reason = error.reason or ""
    if any(word in reason for word in NO_TLS):
        return PLAIN.format(label=label)
    for word, why in OURS.items():
        if word in reason:
            words = {"cert": wording.option("--cert"), "key": wording.option("--key")}
            return f"the server at {label} {why.format(**words)}"
    return (
        f"the TLS handshake with the server at {label} failed: {reason or error.strerror or error}"
    )


def _unverified(
    error: ssl.SSLCertVerificationError, label: str, host: str, authorities: str | None
) -> str:
    code, said = error.verify_code, error.verify_message.rstrip(".")
    cacert = wording.option("--cacert")
    its = f"the certificate of the server at {label}"
    if code in OTHER_NAMES:
        return (
            f"{its} is not for the name {host!r}: name the right one with {wording.option('--sni')}"
        )
    if code == SELF_SIGNED:
        return f"{its} is self-signed: if you trust it, name its file with {cacert}"
    if code in (IN_CHAIN, NO_ISSUER):
        known = f", not by one in {authorities!r}" if authorities else ""
        return f"{its} is signed by an unknown CA ({said}){known}: name the CA's file with {cacert}"
    if code in (EXPIRED, NOT_YET):
        return _out_of_date(its, authorities, code)
    return f"{its} could not be verified: {said}"


def _out_of_date(its: str, authorities: str | None, code: int) -> str:
    """Return whose certificate is not valid now: the server's, or one that signs it."""
    end, why = {EXPIRED: ("notAfter", "has expired"), NOT_YET: ("notBefore", "is not valid yet")}[
        code
    ]
    now = time.time()
    dates = [ssl.cert_time_to_seconds(str(one[end])) for one in _certificates(authorities)]
    wrong = [date for date in dates if (date < now if code == EXPIRED else date > now)]
    clock = "correct the clock here" if code == EXPIRED else "a clock, here or there, is wrong"
    if dates and len(wrong) == len(dates):
        return f"the CA's certificate in {authorities!r} {why}: name a valid one, or {clock}"
    if wrong:
        return f"{its}, or a CA's in {authorities!r}, {why}: renew it, or {clock}"
    return f"{its} {why}: {'renew it there, or ' if code == EXPIRED else ''}{clock}"


def _certificates(file: str | None) -> Sequence[Mapping[str, object]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(OSError):
        if file:
            context.load_verify_locations(file)
    return context.get_ca_certs()


def first_word(source: socket.socket, label: str) -> str | None:
    """Return the error that a server sends right after the handshake, if any: in TLS 1.3 this is
    how it refuses our certificate."""
    try:
        source.settimeout(AT_ONCE)
        source.recv(1)
    except OSError as error:
        return meaning(error, label, "")
    return None


def is_plain(host: str, port: int) -> bool:
    """Return whether a server at that port answers without TLS."""
    with suppress(OSError), closing(socket.create_connection((host, port), AT_ONCE)) as probe:
        probe.sendall(b"PING\r\n")
        return probe.recv(1) in (b"+", b"-")
    return False


def is_secure(host: str, port: int) -> bool:
    """Return whether a server at that port speaks TLS, whoever it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with closing(socket.create_connection((host, port), AT_ONCE)) as probe:
            context.wrap_socket(probe, server_hostname=host).close()
    except OSError as error:
        reason = getattr(error, "reason", None) or ""
        return "ALERT" in reason and "VERSION" not in reason
    return True
