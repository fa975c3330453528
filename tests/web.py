"""A git host on the web: git's own server program behind a login, on 127.0.0.1."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class _Host(BaseHTTPRequestHandler):
    """Answers as a web server that runs `git http-backend` does."""

    folder: Path
    login: str

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) or self._chunks()
        expected = "Basic " + base64.b64encode(self.login.encode()).decode()
        if self.headers.get("Authorization") != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        environment = self._variables(path, query)
        command = ["git", "http-backend"]
        done = subprocess.run(command, input=body, env=environment, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in {**fields, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815  as the base class calls them

    def _chunks(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        return found

    def _variables(self, path: str, query: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": self.login.partition(":")[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base class
        pass


def _is_of_a_wheel() -> bool:
    """Whether git is in a virtual environment: PyPI's has no http-backend."""
    git = shutil.which("git")
    return git is not None and (Path(git).parent.parent / "pyvenv.cfg").exists()


@contextmanager
def git_host(folder: Path, login: str) -> Iterator[str]:
    """Serves the repositories in a folder; gives the host and port."""
    programs = subprocess.run(["git", "--exec-path"], capture_output=True, check=True).stdout
    if not (Path(programs.decode().strip()) / "git-http-backend").exists():
        must = os.environ.get("CI") and not _is_of_a_wheel()
        (pytest.fail if must else pytest.skip)("git has no http-backend here")
    handler = type("Host", (_Host,), {"folder": folder, "login": login})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
