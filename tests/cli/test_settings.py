"""Which server and which repository a command is about, and how it logs in."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from gitbackup.errors import ServerError
from tests.cli.user import Done, User
from tests.servers import BRANDS, LiveServer, StartServer

NOWHERE = "redis://localhost:1"
AWKWARD = ["s3cret", "p@ss/w:o%rd", "#?&=+ ", "50%25", "é👋", "a:b@c/d"]


@pytest.fixture
def locked(start_server: StartServer) -> LiveServer:
    """A server whose password is `s3cret`, and nobody's URL has it."""
    server = start_server(requirepass="s3cret")
    with_password = server.url.replace("unix://", "unix://:s3cret@")
    return LiveServer(server.brand, with_password)


def without_password(server: LiveServer) -> str:
    return server.url.replace(":s3cret@", "")


def test_an_option_goes_before_the_environment(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", NOWHERE)
    assert user.run("commit", "--dry-run").code == 12
    assert user.run("commit", "--dry-run", "--url", user.server.url).code == 0


def test_the_environment_goes_before_the_repository_s_settings(user: User) -> None:
    user.says("init", "--url", NOWHERE)
    assert user.run("status").code == 0


def test_the_repository_s_settings_go_before_the_default(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.says("init", "--url", user.server.url)
    monkeypatch.delenv("REDIS_URL")
    assert user.run("status").code == 0


def test_an_empty_variable_is_none(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.says("init", "--url", user.server.url)
    monkeypatch.setenv("REDIS_URL", "")
    assert user.run("status").code == 0


def test_the_database_of_the_url_is_all_that_is_committed(user: User) -> None:
    user.redis.set("a", 1)
    user.server.client(db=3).set("b", 1)
    assert user.says("commit", "--url", f"{user.server.url}?db=3").startswith("  db3 b  1 added\n")


def test_the_repository_is_in_data_git_backup(user: User) -> None:
    user.says("commit", "--allow-empty")
    assert user.says("log").startswith("id1 ")


@pytest.mark.parametrize("folder", [".", "db0", "db0/deeper"])
def test_the_repository_is_the_one_around_the_current_folder(
    user: User, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    user.says("commit", "--allow-empty", "-m", "here")
    (user.repo / folder).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(user.repo / folder)
    assert user.says("log").splitlines()[1] == "    here"


def test_the_repository_is_where_the_variable_says_unless_an_option_says_more(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        user.says("commit", "--repo", name, "--allow-empty", "-m", name)
    monkeypatch.setenv("GITBACKUP_REPO", "one")
    assert user.says("log").splitlines()[1] == "    one"
    for words in (["log", "--repo", "two"], ["--repo", "two", "log"], ["--repo=two", "log"]):
        assert user.says(*words).splitlines()[1] == "    two"
    assert "push  on-commit" in user.says("--repo", "two", "config", "set", "push", "on-commit")
    assert user.run("--repo").code == user.run("--repo", "two").code == 2


def test_where_there_is_no_repository_reading_says_how_to_get_one(user: User) -> None:
    for words in (["log"], ["show"], ["status"], ["diff"], ["restore", "HEAD", "--yes"]):
        assert user.run(*words) == Done(
            10,
            "",
            "gitbackup: no data repository at data-git-backup; `gitbackup commit` creates"
            " one, and --repo names another\n",
        )


@pytest.mark.parametrize("password", AWKWARD)
@pytest.mark.parametrize("written", [str, lambda password: quote(password, "")])
def test_a_password_of_any_characters_stands_in_the_url(
    user: User, password: str, written: object
) -> None:
    """As it is, or percent-encoded; only `%` and two hex digits need to be encoded."""
    assert callable(written)
    if written is str and password == "50%25":
        password = "50%"  # which is how a URL means it
    user.redis.acl_setuser(
        "bob", enabled=True, passwords=[f"+{password}"], keys=["*"], categories=["+@all"]
    )
    shown = "50%25" if written is str and password == "50%" else written(password)
    url = user.server.url.replace("unix://", f"unix://bob:{shown}@")
    assert user.run("commit", "--url", url, "--allow-empty").code == 0


def test_the_password_is_in_the_environment(
    user: User, locked: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDISCLI_AUTH", "s3cret")
    assert user.run("commit", "--url", without_password(locked)).code == 0


def test_the_url_s_password_goes_before_the_environment_s(
    user: User, locked: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDISCLI_AUTH", "wrong")
    assert user.run("commit", "--url", locked.url).code == 0


def test_the_password_is_asked_for_at_a_terminal(user: User, locked: LiveServer) -> None:
    url = without_password(locked)
    done = user.at_terminal("commit", "--dry-run", "--url", url, types="s3cret\n", asked="server: ")
    assert done == Done(0, "would commit: first commit: 0 keys\n0 keys: none changed\n",
                        "Password of the server: \n")  # fmt: skip


def test_a_wrong_password_at_the_terminal_is_an_error(user: User, locked: LiveServer) -> None:
    url = without_password(locked)
    done = user.at_terminal("commit", "--dry-run", "--url", url, types="wrong\n", asked="server: ")
    assert done == Done(
        12,
        "",
        f"Password of the server: \ngitbackup: the server at {url} does not accept this user"
        " name and password\n",
    )


def test_a_restore_into_another_server_has_its_password_in_its_url(
    user: User, locked: LiveServer
) -> None:
    user.says("commit", "--allow-empty")
    to = without_password(locked)
    assert user.run("restore", "HEAD", "--yes", "--to", to) == Done(
        12, "", "gitbackup: the server of --to requires a password: put it in that URL\n"
    )
    assert user.run("restore", "HEAD", "--yes", "--to", locked.url).code == 0


def test_a_server_is_reached_by_redis_and_a_port(user: User, start_server: StartServer) -> None:
    server = start_server(tcp=True)
    server.client().set("a", 1)
    assert user.says("commit", "--url", server.url).endswith("1 key: 1 added\n")


@pytest.fixture
def encrypted(start_server: StartServer, tmp_path: Path) -> tuple[str, Path]:
    """The URL of a server that speaks TLS only, and its self-signed certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    settings = {"tls_cert_file": str(key.with_name("certificate.pem")), "tls_key_file": str(key)}
    system = [*BRANDS][-1]  # the one on the PATH: the packaged ones are built without TLS
    try:
        server = start_server(system, tcp=True, **settings, tls_auth_clients="no")
    except ServerError:
        pytest.skip(f"{system} is built without TLS")
    with server.client() as client:
        port = server.port + 1
        client.config_set("tls-port", port)
    return f"rediss://localhost:{port}", certificate


def test_a_server_is_reached_by_tls(user: User, encrypted: tuple[str, Path]) -> None:
    url, certificate = encrypted
    assert user.run("commit", "--dry-run", "--url", f"{url}?ssl_ca_certs={certificate}").code == 0
    assert user.run("commit", "--dry-run", "--url", f"{url}?ssl_cert_reqs=none").code == 0
    for option in ("ssl_ca_certs=nowhere", "ssl_min_version=7", "ssl_ciphers=none"):
        done = user.run("commit", "--dry-run", "--url", f"{url}?{option}")
        sentence = "gitbackup: the ssl_... options of the Redis URL cannot be used: "
        assert (done.code, done.err[: len(sentence)]) == (2, sentence)


def test_a_certificate_that_nobody_vouches_for_is_an_error(
    user: User, encrypted: tuple[str, Path]
) -> None:
    done = user.run("commit", "--dry-run", "--url", encrypted[0])
    assert (done.code, done.out, done.err.count("\n")) == (12, "", 1)
    assert "certificate" in done.err
