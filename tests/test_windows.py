"""Nothing that only other systems have is needed to load gitbackup: Windows lacks it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
LOADS_ALL = """
import importlib, os, pkgutil, select, signal, socket, subprocess, sys, tempfile
import click, jinja2, starlette.routing, uvicorn  # which have their own ways on Windows

import gitbackup

GONE = {
    os: "geteuid getuid killpg nice major minor sysconf O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_PATH",
    signal: "SIGUSR1 SIGCHLD SIGTTIN SIGHUP SIGKILL pthread_sigmask",
    select: "poll",
    socket: "AF_UNIX",
}
for module, names in GONE.items():
    for name in names.split():
        if hasattr(module, name):  # macOS lacks some, too
            delattr(module, name)
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None  # an import of it fails
for module in pkgutil.walk_packages(gitbackup.__path__, "gitbackup."):
    if module.name != "gitbackup.__main__":
        importlib.import_module(module.name)
        print(module.name)
"""


@pytest.mark.long
def test_every_module_loads_without_what_windows_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS_ALL], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"gitbackup.system.atomic_file", "gitbackup.ui.serve"} <= {*done.stdout.split()}
