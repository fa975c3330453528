"""How long pages of `gitbackup ui` take, and its memory, beside commands on the same repository.

Run by hand: `python -m tests.bench.pages [FOLDER]`. It writes a million keys, 3,000 commits that
change twenty of them, and one that changes 100,000, into FOLDER (or a temporary one) unless they
are there already. Each figure is the best of some turns, in which all take theirs.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gitbackup.store.objects.trees import EMPTY_TREE
from tests.bench import history
from tests.store.plain import git

KEYS, COMMITS, AT_ONCE = 1_000_000, 3_000, 100_000
TURNS = 5
OURS = (sys.executable, "-m", "gitbackup")
NOWHERE = "redis://127.0.0.1:1"
"""No page that is measured asks the server."""


def names() -> list[bytes]:
    """Of four keys two are flat, one has a random token, and one counts a day."""
    tokens = (hashlib.sha256(b"%d" % n).hexdigest()[:16] for n in range(KEYS // 4))
    keys = [b"user:%d" % n for n in range(KEYS // 2)]
    keys += [f"session:{token}".encode() for token in tokens]
    keys += [
        b"usage:daily:%06d:2026-02-%02d" % (n, day) for n in range(KEYS // 40) for day in range(10)
    ]
    return sorted({*keys, *(key.encode() for key in history.KEYS)})


class Long(history.History):
    """A history of small commits with a large one at its end."""

    def stream(self) -> Iterator[bytes]:
        yield from super().stream()
        users = [key for key in self._versions if key.startswith(b"user:")]
        chosen = random.Random(1).sample(users, AT_ONCE)
        for key in chosen:
            self._versions[key] += 1
        files = dict(self._file(at) for at in {self._starts[key] for key in chosen})
        yield history._commit(COMMITS, AT_ONCE, files)


class Pages:
    """A running site, and a browser without a window."""

    def __init__(self, folder: Path) -> None:
        words = ("ui", "--no-browser", "--port", "0", "--repo", str(folder), "--url", NOWHERE)
        self._process = subprocess.Popen(
            [*OURS, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout
        found = re.search(r"http://(\S+?)(/enter\S+)", self._process.stdout.readline())
        assert found
        self._host, self._cookie = found[1], ""
        self._cookie = str(self._asked(found[2]).getheader("Set-Cookie")).partition(";")[0]

    def get(self, path: str) -> None:
        assert self._asked(path).status == 200, path

    def _asked(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._host, timeout=600)
        connection.request("GET", path, headers={"Cookie": self._cookie})
        answer = connection.getresponse()
        answer.read()
        return answer

    def memory(self) -> int:
        """The most megabytes that it has taken so far."""
        told = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", told)[0]) // 1000

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait()


@contextmanager
def pages(folder: Path) -> Iterator[Pages]:
    running = Pages(folder)
    try:
        yield running
    finally:
        running.stop()


def best(tasks: Sequence[Callable[[], object]], turns: int = TURNS) -> list[float]:
    """The milliseconds that each takes, the best of some turns."""
    taken: list[list[float]] = [[] for _ in tasks]
    for _ in range(turns):
        for task, times in zip(tasks, taken, strict=True):
            start = time.perf_counter()
            task()
            times.append(1_000 * (time.perf_counter() - start))
    return [min(times) for times in taken]


def command(*words: str) -> Callable[[], object]:
    return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def main(folder: Path) -> None:
    if not (folder / "HEAD").exists():
        history.names, history.COMMITS, history.History = names, COMMITS, Long  # type: ignore[misc]
        history.build(folder)
    head, first = (
        git(folder, "rev-list", *words).split()[0]
        for words in (("-1", "HEAD"), ("--max-parents=0", "HEAD"))
    )
    at = ("--repo", str(folder))
    git_log = command("git", "-C", str(folder), "log", "--oneline")
    our_log = command(*OURS, "log", *at, "--oneline")
    key = "user:48213"
    with pages(folder) as site:
        site.get("/")
        fresh = site.memory()
        rows: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "timeline : git log": (lambda: site.get("/"), git_log),
            "timeline : gitbackup log": (lambda: site.get("/"), our_log),
            "commit of 100,000 keys, first view : gitbackup log": (
                lambda: site.get(f"/commit/{head}"),
                our_log,
            ),
            "key : gitbackup show": (
                lambda: site.get(f"/key?db=0&name={key}"),
                command(*OURS, "show", *at, "HEAD", key),
            ),
            "its history : gitbackup log -- KEY": (
                lambda: site.get(f"/key/history?db=0&name={key}"),
                command(*OURS, "log", *at, "--oneline", "--", key),
            ),
            "search by key : gitbackup keys": (
                lambda: site.get("/search?q=user:4821*"),
                command(*OURS, "keys", *at, "HEAD", "user:4821*"),
            ),
        }
        for title, (page, beside) in rows.items():
            ours, theirs = best([page, beside])
            print(f"{title:<54} {ours:>7.0f} {theirs:>7.0f} ms  {ours / theirs:.2f}")
    for title, before, after in (("100,000", f"{head}~1", head), ("1,000,003", "", first)):
        compared(folder, title, before, after, fresh)


def compared(folder: Path, title: str, before: str, after: str, fresh: int) -> None:
    """Print how long it takes to compare two commits, `before` empty for the first one alone."""
    stat = ("diff", before, after) if before else ("log", "-n", "1", after)
    words = (*OURS, stat[0], "--repo", str(folder), *stat[1:], "--stat")
    path = f"/diff?a={before or EMPTY_TREE}&b={after}"
    with pages(folder) as site:
        ours, theirs = best([lambda: site.get(f"{path}&wait=1"), command(*words)], 1)
        (again,) = best([lambda: site.get(path)], 1)
        print(f"{title} keys : {stat[0]} --stat: {ours:.0f} {theirs:.0f} ms", end="  ")
        print(f"{ours / theirs:.2f}; again {again:.0f} ms; {fresh} to {site.memory()} MB")


if __name__ == "__main__":
    history.in_folder(main)
