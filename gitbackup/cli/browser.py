"""Serving the pages from a terminal: it tells the address, and opens it in a browser."""

from __future__ import annotations

import getpass
import html
import os
import signal
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gitbackup import Backup
from gitbackup.cli.output import terminal
from gitbackup.errors import UsageError
from gitbackup.progress import Progress

if TYPE_CHECKING:
    from gitbackup.ui.serve import Server
    from gitbackup.ui.site import Site

ENDS = (signal.SIGINT, signal.SIGTERM)
OPENED = 60.0  # seconds in which a browser has read the file that sends it to us


class Opening(NamedTuple):
    """Where the pages are, and how one gets in: see the options of `ui`."""

    host: str = "127.0.0.1"
    port: int | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    idle: float = 1800
    password: str | None = None
    browser: bool = True


def expect_installed() -> None:
    """Raise UsageError if the packages that the pages need are missing."""
    try:
        import gitbackup.ui.serve  # noqa: F401  also below: no other command needs it
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise UsageError(
            f"{package} is not installed: pip install 'gitbackup[ui]', or with pipx: pipx inject"
            " gitbackup jinja2 starlette uvicorn"
        ) from None


def serve(
    opened: Callable[[Progress], Backup],
    pasted: Callable[[str], str],
    how: Opening,
    *,
    read_only: bool = False,
) -> None:
    """Serve the pages until Ctrl-C or SIGTERM; `opened` and `pasted` are as for a Site."""
    from gitbackup.ui.serve import Place, Server, Tls
    from gitbackup.ui.site import Site

    tls = Tls(how.tls_cert, how.tls_key) if how.tls_cert and how.tls_key else None
    place = Place(how.host, how.port, tls)
    site = Site(opened, pasted, read_only=read_only)
    server = Server(site, place, idle=how.idle, password=how.password, warn=terminal.warn)
    with _ended_by_signals(server), _telling_on_demand(server):
        address = server.address()
        _tell(address)
        with _opened(address) if how.browser and _has_screen() else nullcontext():
            if "SSH_CONNECTION" in os.environ:
                _tell_of_tunnel(server.port)
            server.run()
    _await_writing(site)


def _await_writing(site: Site) -> None:
    """Wait for what is committed or brought back just now. The next signal ends it at once, and
    what is left of it can be finished, as after any command that is interrupted."""
    if job := site.jobs.writing:
        terminal.warn(f"waiting until the {job.verb} is done; Ctrl-C again ends it at once")
        site.jobs.settle(job)


def _tell(address: str) -> None:
    click.echo(f"gitbackup ui: {address}")
    sys.stdout.flush()  # also where it is a pipe


def _tell_of_tunnel(port: int) -> None:
    """Tell a person who is logged in by ssh how to open the pages in a browser elsewhere."""
    here = os.environ["SSH_CONNECTION"].split()[2:3]
    at = f"{getpass.getuser()}@{here[0]}" if here else "this machine"
    terminal.warn(
        f"to open it in the browser of your own machine, run there: ssh -L {port}:127.0.0.1:{port}"
        f" {at}"
    )


@contextmanager
def _ended_by_signals(server: Server) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the server inside the block, which is all that Ctrl-C is for."""

    def end(number: int, frame: FrameType | None) -> None:
        server.stop()

    before = {number: signal.signal(number, end) for number in ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _telling_on_demand(server: Server) -> Iterator[None]:
    """Print a new address whenever somebody presses Enter, or sends SIGUSR1, inside the block."""

    def tell(number: int, frame: FrameType | None) -> None:
        # in a thread: this may have interrupted the writing of another one
        threading.Thread(target=lambda: _tell(server.address())).start()

    def listen() -> None:
        with suppress(OSError):  # in the background of a shell nothing can be read
            for _ in sys.stdin:
                _tell(server.address())

    before = dict[int, Any]()
    if sys.platform != "win32":
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, tell)
        before[signal.SIGTTIN] = signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    if sys.stdin.isatty():
        threading.Thread(target=listen, daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_screen() -> bool:
    """Return whether a browser that opens here is seen."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform == "darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


@contextmanager
def _opened(address: str) -> Iterator[None]:
    """Open the address in a browser. It is in a file that only we can read and that is removed
    afterwards, for a list of processes shows arguments. The file is in our home, for a browser may
    be kept out of the folder for temporary files."""
    page = f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(address)}">'
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=Path.home(), prefix="gitbackup-ui-", suffix=".html", delete=False
        ) as file:
            file.write(page)
    except OSError:
        yield  # the address is told anyway
        return
    path = Path(file.name)
    timer = threading.Timer(OPENED, path.unlink, kwargs={"missing_ok": True})
    timer.daemon = True
    try:
        timer.start()
        threading.Thread(target=webbrowser.open, args=(path.as_uri(),), daemon=True).start()
        yield
    finally:
        timer.cancel()
        path.unlink(missing_ok=True)
