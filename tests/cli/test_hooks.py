"""Hooks: what they are told, and that a commit stands whatever becomes of them."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitbackup import Backup, HookRun
from gitbackup.errors import ServerError
from gitbackup.system import programs
from tests.certificates import sign_itself
from tests.cli.test_watch import service
from tests.cli.user import Done, User
from tests.schemas import check
from tests.servers import StartServer
from tests.store.plain import git
from tests.strangers import ANOTHER, by_root
from tests.watching import eventually

SECRET = f"s3cr3t-p4ss-{os.getpid()}"
LOG = "HERE/data-git-backup/.git/gitbackup/hooks.log"
NOWHERE = "redis://localhost:1"


@pytest.fixture
def hooked(user: User) -> User:
    """Each event adds its JSON as a line to a file of its name."""
    user.redis.set("a", 1)
    user.says("commit", "-m", "one")
    for event in ("on-commit", "on-failure"):
        user.says("config", "set", event, f"cat >> ../{event}")
    return user


def told(event: str) -> list[dict[str, object]]:
    file = Path(event)
    return [check(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_hook_is_told_what_the_command_prints(hooked: User) -> None:
    hooked.redis.set("b", 1)
    printed = json.loads(hooked.run("commit", "--json").out)
    (commit,) = told("on-commit")
    (hook,) = printed.pop("hooks")
    assert hook == {"event": "on-commit", "ok": True, "how": "ended with exit code 0", "output": ""}
    assert json.loads(hooked.normal(json.dumps(commit))) == printed
    assert hooked.says("commit", "--json").count("hooks") == 0  # there was nothing to commit
    assert told("on-failure") == []


def test_a_hook_is_told_of_every_commit_of_a_restore(hooked: User) -> None:
    hooked.redis.set("a", 2)
    hooked.redis.set("b", 2)
    hooked.says("restore", "HEAD", "--yes")
    before, after = told("on-commit")
    assert [before["commit"], after["commit"]] == hooked.commits()[1:]
    assert (before["keys"], before["added"], before["changed"]) == (2, 1, 1)
    assert (after["keys"], after["removed"], after["parent"]) == (1, 1, before["commit"])
    assert after["namespaces"]


FAILING = {
    "exit 7": "ended with exit code 7",
    "echo; echo it broke; exit 1": "ended with exit code 1: it broke",
    "kill -9 $$": "ended by signal 9",
    "no-such-program-at-all": "ended with exit code 127",
    "sleep 60 & sleep 60": "was stopped after 0.3 s",
}


@pytest.mark.few(5)
@pytest.mark.parametrize("command", FAILING)
def test_a_hook_that_fails_or_hangs_loses_no_commit(user: User, command: str) -> None:
    user.says("init")
    if command.startswith("sleep"):
        user.says("config", "set", "hook-timeout", "0.3")
    user.says("config", "set", "on-commit", command)
    user.redis.set("a", 1)
    done = user.run("commit", "-m", "one")
    assert (done.code, len(user.commits())) == (3, 1)
    assert done.out.endswith("[id1] one\n1 key: 1 added\n")
    start = f"gitbackup: the commit was made, but the hook on-commit {FAILING[command]}"
    assert done.err.startswith(start)
    assert done.err.endswith(f"(see {LOG})\n")
    log = user.repo / ".git" / "gitbackup" / "hooks.log"
    assert f"on-commit {FAILING[command].partition(':')[0]}\n" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert user.says("status").split("\n")[2] == "nothing changed since"


def test_much_that_a_hook_prints_is_cut_and_holds_nothing_up(tmp_path: Path) -> None:
    """Nor does a hook that does not read what it is told, or leaves something running."""
    left = "(until [ -e stop ]; do sleep 0.05; done) >/dev/null 2>&1 &"
    script = f"printf begin; head -c 3000000 /dev/zero; printf end; {left}"
    done = programs.run(script, b"x" * 1_000_000, {**os.environ}, tmp_path, 30)
    (tmp_path / "stop").touch()
    assert (done.ok, done.how) == (True, "ended with exit code 0")
    assert done.output.startswith("begin")
    assert done.output.endswith("end")
    assert len(done.output) <= programs.KEPT + 10


def test_the_failure_of_a_commit_is_told(hooked: User) -> None:
    """Of what the server, the lock or the push does; not of a wrong word."""
    done = hooked.run("commit", "--url", NOWHERE)
    assert done.code == 12
    assert hooked.run("commit", "-m", " ").code == 2
    assert hooked.run("commit", "--dry-run", "--url", NOWHERE).code == 12
    assert hooked.run("watch", "--url", NOWHERE).code == 12
    git(hooked.repo, "config", "gitbackup.push", "on-commit")
    git(hooked.repo, "remote", "add", "origin", "/nowhere/at/all")
    hooked.redis.set("b", 1)
    assert hooked.run("commit").code == 3
    assert hooked.run("push").code == 1
    assert hooked.run("rdb", "save", "--url", NOWHERE).code == 12
    first, *others = told("on-failure")
    assert done.err == f"gitbackup: {first['error']}\n"
    assert (first["command"], first["exit_code"]) == ("commit", 12)
    assert [each["command"] for each in others] == ["watch", "push", "push", "rdb save"]
    assert len(told("on-commit")) == 1


def test_a_hook_of_a_hook_is_not_run(hooked: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of them could have no end."""
    monkeypatch.setenv("GITBACKUP_EVENT", "on-failure")
    assert hooked.run("commit", "--url", NOWHERE).code == 12
    hooked.redis.set("b", 1)
    hooked.says("commit")
    assert told("on-failure") == told("on-commit") == []


def test_a_hook_that_hangs_does_not_hold_up_a_watch(user: User) -> None:
    """It goes on with commits; each gets its hook, in order."""
    user.says("init")
    wait = "until [ -e ../go ]; do sleep 0.05; done"
    user.says("config", "set", "on-commit", f"{wait}; cat >> ../on-commit; echo bad; exit 1")
    with service(user) as watch:
        watch.line()
        watch.line()
        for number in (2, 3, 4):
            user.redis.set("a", number)
            assert watch.line().startswith(f"[id{number}] a")
        assert told("on-commit") == []
        Path("go").touch()
        assert eventually(lambda: len(told("on-commit")) == 4)
        done = watch.end()
    assert [each["commit"] for each in told("on-commit")] == user.commits()
    failed = f"gitbackup: the hook on-commit ended with exit code 1: bad (see {LOG})\n"
    assert done == Done(0, "", failed * 4)


@pytest.mark.long
def test_a_lost_server_is_told_once(hooked: User, start_server: StartServer) -> None:
    server = start_server()
    with service(hooked, "--url", server.url) as watch:
        watch.line()
        with server.client() as client:
            client.set("b", 2)
            watch.line()
            client.shutdown(nosave=True)
        assert eventually(lambda: bool(told("on-failure")))
        watch.end()
    (failure,) = told("on-failure")
    assert (failure["command"], failure["exit_code"]) == ("watch", 12)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux tells of itself so")
def test_no_password_comes_to_a_hook(
    user: User, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in what it reads, nor in its environment, nor in a command line."""
    server = start_server(requirepass=SECRET)
    url = server.url.replace("unix://", f"unix://:{SECRET}@")
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setenv("REDISCLI_AUTH", SECRET)
    user.says("init", "--url", url)
    script = "cat /proc/self/environ /proc/$PPID/cmdline /proc/$$/cmdline - > ../seen"
    user.says("config", "set", "on-commit", script)
    user.says("config", "set", "on-failure", script)
    for words in (["commit"], ["commit", "--url", url.replace(SECRET, f"{SECRET}-wrong")]):
        Path("seen").unlink(missing_ok=True)
        user.run(*words)
        seen = Path("seen").read_text()
        assert "GITBACKUP_EVENT=on-" in seen
        assert SECRET not in seen


def test_a_hook_never_comes_with_a_history(hooked: User) -> None:
    """Not by a clone or a pull, not from a bundle, and not if somebody puts it there."""
    Path("cloud").mkdir()
    hooked.run("push", "cloud")
    settings = '{"format": 1, "settings": {"on-commit": ["touch ../ran"], "hook-timeout": ["9"]}}'
    blob = git(hooked.repo, "hash-object", "-w", "--stdin", stdin=settings.encode())
    tree = git(hooked.repo, "mktree", stdin=f"100644 blob {blob}\tsettings.json\n".encode())
    made = git(hooked.repo, "commit-tree", tree, "-m", "settings")
    git(hooked.repo, "update-ref", "refs/gitbackup/settings", made)
    for source in ("cloud", "data-git-backup"):
        copy = f"copy-of-{source}"
        done = hooked.run("clone", source, copy)
        if source == "data-git-backup":
            assert "unknown setting 'on-commit', left out" in done.err
        hooked.run("pull", "--repo", copy)
        listed = hooked.says("config", "list", "--repo", copy)
        assert {"on-commit", "on-failure", "hook-timeout"}.isdisjoint(listed.split())
        hooked.redis.incr("a")
        hooked.run("commit", "--repo", copy)
    assert (told("on-commit"), Path("ran").exists()) == ([], False)


@by_root
def test_a_hook_of_another_user_is_not_run(hooked: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if they have been trusted with the repository; the user's own hook is run there."""
    for path in (hooked.repo, hooked.repo / ".git"):
        os.chown(path, ANOTHER, ANOTHER)
    Path("global").write_text("[safe]\n\tdirectory = *\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(Path("global").resolve()))
    hooked.redis.set("b", 1)
    done = hooked.run("commit")
    assert (done.code, told("on-commit")) == (3, [])
    assert "the hook on-commit was not run, because data-git-backup belongs to another" in done.err
    Path("global").write_text(
        "[safe]\n\tdirectory = *\n[gitbackup]\n\ton-commit = cat >> ../mine\n"
    )
    git(hooked.repo, "config", "--unset", "gitbackup.on-commit")
    hooked.redis.set("b", 2)
    hooked.says("commit")
    assert len(told("mine")) == 1


ANSWERS = {"/moved": 302, "/broken": 500}


class Received(BaseHTTPRequestHandler):
    """What was posted, by the path; some paths answer in another way."""

    bodies: dict[str, bytes] = {}  # noqa: RUF012  of the test that runs

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.bodies[self.path] = self.rfile.read(length)
        self.send_response(ANSWERS.get(self.path, 200))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"that is all")

    do_GET = do_POST  # noqa: N815  as the base class calls them

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  as the base class


@contextmanager
def https(folder: Path) -> Iterator[str]:
    """A server with a certificate that it has signed itself; its URL."""
    sign_itself(folder, "web")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "web.pem", folder / "web.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Received)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl on the PATH")
def test_a_webhook_gets_the_same_by_https(
    user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a server whose certificate is trusted, and no redirect is followed."""
    user.says("init")
    Received.bodies.clear()
    with https(tmp_path) as url:
        for path in ("/s3cret/good", "/moved", "/broken"):
            user.redis.incr("a")
            shown = user.says("config", "set", "on-commit", url + path)
            assert path not in shown
            if path == "/s3cret/good":
                refused = user.run("commit")
                assert (refused.code, "certificate" in refused.err) == (3, True)
                assert Received.bodies == {}
                monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "web.pem"))
                user.redis.incr("a")
            done = user.run("commit", "--json")
            hook = json.loads(done.out)["hooks"][0]
            assert check(Received.bodies[path].decode())["commit"] == user.commits()[-1]
            assert hook["output"] == "that is all"
            assert hook["how"] == f"answered {ANSWERS.get(path, 200)}"
            assert (done.code, hook["ok"]) == ((0, True) if "good" in path else (3, False))
    assert "/elsewhere" not in Received.bodies


@pytest.mark.parametrize(
    "value", ["", " ", "http://x/y", "https://", "https:///x", "https://me:pw@x/", "https://a b"]
)
@pytest.mark.few(7)
def test_what_is_no_hook(hooked: User, value: str) -> None:
    done = hooked.run("config", "set", "on-commit", "--", value)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "pw" not in done.err


def test_hooks_of_a_program(hooked: User) -> None:
    backup = Backup(hooked.repo, hooked.server.url)
    hooked.redis.set("b", 1)
    done = backup.events.after_commit(backup.commit(), backup.commit())
    (run,) = done.hooks
    assert isinstance(run, HookRun)
    assert (run.ok, run.event, done.failed) == (True, "on-commit", [])
    backup.events.after_failure("commit", ServerError("it is gone"))
    assert told("on-failure")[0]["error"] == "it is gone"
