"""What keeps us from speaking TLS to a server is told, each in a sentence of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from gitbackup.live.server.embedded import EmbeddedServer
from tests.certificates import expect_openssl, openssl, sign, sign_itself
from tests.certificates import settings as tls_settings
from tests.servers import free_port, program

BRAND = "redis7"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our CA, and what it has signed, and what it has not."""
    expect_openssl()
    made = tmp_path_factory.mktemp("certificates")
    sign_itself(made, "ca")
    sign_itself(made, "alone")
    sign(made, "server", "localhost", "-days", "10")
    sign(made, "client", "client", "-days", "10")
    sign(made, "elsewhere", "elsewhere", "-days", "10")
    sign(made, "late", "localhost", "-days", "-1")
    old = ("-signkey", "old.key", "-days", "-1", "-out", "old.pem", "-extfile", "ca.names")
    (made / "ca.names").write_text("basicConstraints=critical,CA:TRUE")
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old")
    openssl(made, *new, "-keyout", "old.key", "-out", "old.csr")
    openssl(made, "x509", "-req", "-in", "old.csr", *old)
    sign(made, "orphan", "localhost", "-days", "10", ca="old")
    (made / "both.pem").write_bytes(
        (made / "old.pem").read_bytes() + (made / "ca.pem").read_bytes()
    )
    locked = ("-aes128", "-passout", "pass:x", "-in", "client.key", "-out", "locked.key")
    openssl(made, "rsa", *locked)
    return made


@pytest.fixture(scope="module")
def ports(folder: Path) -> Iterator[Mapping[str, int]]:
    """Servers by the certificate that each has; `strict` wants one of its clients too."""

    found: dict[str, int] = {}
    with ExitStack() as opened:
        for name in ("server", "elsewhere", "late", "alone", "orphan", "strict", "plain"):
            found[name] = port = free_port()
            own = "server" if name == "strict" else name
            given = tls_settings(folder, own, port, name == "strict")
            if name == "plain":
                given = {"port": str(port)}
            opened.enter_context(EmbeddedServer(program(BRAND), {"bind": "127.0.0.1", **given}))
        yield found


@pytest.fixture
def sentinel(folder: Path, tmp_path: Path) -> Iterator[int]:
    """The port of a sentinel; it and the primary want a certificate of their clients."""
    ports = [free_port(), free_port()]
    common = {"bind": "127.0.0.1", "tls-replication": "yes"}
    link = tmp_path / "redis-sentinel"
    link.symlink_to(program(BRAND))
    watched = {"sentinel": f"monitor mymaster 127.0.0.1 {ports[0]} 1"}
    with ExitStack() as opened:
        for port, binary, more in zip(ports, (program(BRAND), link), ({}, watched), strict=True):
            own = {**common, **tls_settings(folder, "server", port, True), **more}
            opened.enter_context(EmbeddedServer(binary, own))
        yield ports[1]


def status(folder: Path, url: str, *options: str) -> tuple[int, str]:
    """What `gitbackup commit` says of that server; the certificates are in the current folder."""
    return run(folder, "commit", "--dry-run", "--repo", "none", "--url", url, *options)


def run(folder: Path, *words: str) -> tuple[int, str]:
    """The exit code and the errors of gitbackup, run in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "gitbackup", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


CA = ("--cacert", "ca.pem")
CLIENT = ("--cert", "client.pem", "--key", "client.key")
STRANGER = ("--cert", "alone.pem", "--key", "alone.key")
UNKNOWN = "is signed by an unknown CA"


@pytest.mark.long
@pytest.mark.parametrize(
    ("server", "options", "told"),
    [
        ("server", (), UNKNOWN),
        ("server", ("--cacert", "alone.pem"), UNKNOWN),
        ("elsewhere", CA, "is not for the name 'localhost': name the right one with --sni"),
        ("server", ("--cacert", "alone.pem"), "not by one in 'alone.pem'"),
        ("late", CA, "the certificate of the server at localhost:"),
        ("late", CA, "has expired: renew it there"),
        ("orphan", ("--cacert", "old.pem"), "the CA's certificate in 'old.pem' has expired"),
        ("orphan", ("--cacert", "both.pem"), ", or a CA's in 'both.pem', has expired"),
        ("alone", CA, "is self-signed"),
        ("strict", CA, "requires a client certificate: name one with --cert and --key"),
        ("strict", (*CA, *STRANGER), "does not know the CA that signed the client certificate"),
        ("plain", (), "does not use TLS on that port: its URL begins with redis://"),
    ],
)
def test_what_is_wrong_is_told(
    folder: Path, ports: Mapping[str, int], server: str, options: tuple[str, ...], told: str
) -> None:
    code, said = status(folder, f"rediss://localhost:{ports[server]}", *options)
    assert code == 12
    assert said.startswith("gitbackup: the ")
    assert told in said
    assert said.count("\n") == 1


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("server", "options"),
    [
        ("server", CA),
        ("elsewhere", (*CA, "--sni", "elsewhere")),
        ("alone", ("--cacert", "alone.pem")),
        ("strict", (*CA, *CLIENT)),
    ],
)
def test_what_is_right_is_let_in(
    folder: Path, ports: Mapping[str, int], server: str, options: tuple[str, ...]
) -> None:
    assert status(folder, f"rediss://localhost:{ports[server]}", *options) == (0, "")


@pytest.mark.long
def test_the_url_can_say_all_of_it(folder: Path, ports: Mapping[str, int]) -> None:
    told = "cacert=ca.pem&cert=client.pem&key=client.key&timeout=20"
    assert status(folder, f"rediss://localhost:{ports['strict']}?{told}") == (0, "")


@pytest.mark.long
def test_init_saves_all_of_it(folder: Path, ports: Mapping[str, int], tmp_path: Path) -> None:
    """Certificates are found from any folder afterwards."""
    repository = ("--repo", str(tmp_path / "data"))
    options = ("--url", f"rediss://localhost:{ports['strict']}", *CA, *CLIENT)
    code, said = run(folder, "init", *repository, *options)
    assert (code, said) == (0, "")
    assert run(tmp_path, "commit", *repository, "--allow-empty") == (0, "")


@pytest.mark.few(1)
@pytest.mark.parametrize("how", ["option", "url"])
def test_a_certificate_that_is_not_verified_is_a_warning(
    folder: Path, ports: Mapping[str, int], how: str
) -> None:
    url = f"rediss://localhost:{ports['late']}"
    words = (url, "--insecure") if how == "option" else (f"{url}?insecure=yes",)
    code, said = status(folder, *words)
    assert code == 0
    assert said.startswith("gitbackup: --insecure: the server's certificate is not verified")


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("rediss://localhost:1", ("--cacert", "none.pem"), "no file 'none.pem'"),
        (
            "rediss://localhost:1",
            ("--cacert", "ca.key"),
            "'ca.key' contains no certificate in PEM format",
        ),
        ("rediss://localhost:1", ("--key", "ca.key"), "name the certificate"),
        ("rediss://localhost:1", ("--cert", "client.pem", "--key", "ca.key"), "does not match"),
        (
            "rediss://localhost:1",
            ("--cert", "client.pem"),
            "'client.pem' contains no private key in PEM format: name its file with --key",
        ),
        (
            "rediss://localhost:1",
            ("--cert", "client.key", "--key", "client.key"),
            "'client.key' contains no certificate in PEM format",
        ),
        (
            "rediss://localhost:1",
            ("--cert", "client.pem", "--key", "locked.key"),
            "the key in 'locked.key' has a password",
        ),
        ("rediss://localhost:1", ("--sni", "a\u202eb"), "is not the name of a server"),
        ("rediss://localhost:1", ("--sni", "a\nb"), "is not the name of a server"),
        ("redis://localhost:1", CA, "does not use TLS"),
        ("rediss://localhost:1?insecure=perhaps", (), "insecure must be true or false"),
    ],
)
def test_options_that_make_no_sense(
    folder: Path, url: str, options: tuple[str, ...], told: str
) -> None:
    code, said = status(folder, url, *options)
    assert (code, said.count("\n")) == (2, 1)
    assert told in said


@pytest.mark.long
def test_plain_words_at_a_port_of_tls(folder: Path, ports: Mapping[str, int]) -> None:
    for server in ("server", "strict"):
        code, said = status(folder, f"redis://localhost:{ports[server]}")
        assert code == 12
        assert "uses TLS on that port: its URL begins with rediss://" in said


@pytest.mark.long
def test_a_sentinel_and_its_primary_by_tls(folder: Path, sentinel: int) -> None:
    place = f"localhost:{sentinel}"
    name = ("--sni", "localhost")
    url = f"rediss+sentinel://{place}/mymaster"
    assert status(folder, url, *CA, *CLIENT, *name) == (0, "")
    code, said = status(folder, f"rediss://{place}", *CA, *CLIENT)
    assert (code, f"use the URL of its service, {url}" in said) == (12, True)
    code, said = status(folder, url, *CA, *name)
    assert (code, "requires a client certificate" in said) == (12, True)
    code, said = status(folder, url.replace("rediss", "redis"))
    assert (code, said.count("\n")) == (12, 1)
    assert "uses TLS" in said
