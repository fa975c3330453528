"""The data repository as plain git sees it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gitbackup.format.codec import data
from gitbackup.store.git.open_repository import ASIDE
from tests.torture.database import Key, tokens_in

AROUND = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
}


class Plain:
    """Asks git about one repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tokens: dict[str, frozenset[bytes]] = {}
        self._known: frozenset[bytes] = frozenset()
        self._tips: list[str] = []

    @property
    def git_dir(self) -> Path:
        return self.path / ".git" if (self.path / ".git").exists() else self.path

    def run(self, *words: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        around = {**os.environ, **AROUND}
        return subprocess.run(
            ["git", *words], cwd=self.path, env=around, input=text, capture_output=True
        )

    def head(self) -> str | None:
        """The id of HEAD's commit."""
        if not self.path.exists():
            return None
        done = self.run("rev-parse", "-q", "--verify", "HEAD^{commit}")
        return done.stdout.decode().strip() or None

    def problems(self) -> str:
        """What git fsck has to say."""
        done = self.run("fsck", "--strict", "--no-dangling", "--no-progress")
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        lines = [line for line in said.splitlines() if not line.startswith("notice: ")]
        return "\n".join(lines) or (
            f"git fsck ended with {done.returncode}" if done.returncode else ""
        )

    def uncommitted(self) -> str:
        """What in the work tree or the index is not as HEAD has it."""
        if self.run("rev-parse", "--is-bare-repository").stdout == b"true\n":
            return ""
        told = self.run("status", "--porcelain").stdout.decode("utf-8", "replace").splitlines()
        # a run that was killed just then is not told from one at work; it goes by itself soon
        return "\n".join(line for line in told if not line.startswith(f"?? {ASIDE}"))

    def locks(self) -> list[str]:
        """Files of git's that would keep the next git from its work."""
        ours = self.git_dir / "gitbackup"  # which the system drops, whoever held them
        found = [path for path in self.git_dir.rglob("*.lock") if ours not in path.parents]
        return sorted(str(path.relative_to(self.path)) for path in found)

    def tokens(self, commit: str = "HEAD") -> frozenset[bytes]:
        """Those of one commit's files."""
        listed = self.run("ls-tree", "-r", "-z", commit).stdout
        blobs = [line.split()[2].decode() for line in listed.split(b"\0") if b"\t" in line]
        names = [line.partition(b"\t")[2] for line in listed.split(b"\0") if b"\t" in line]
        data = [
            blob
            for blob, name in zip(blobs, names, strict=True)
            if name.startswith((b"db", b"functions/", b'"db', b'"functions/'))
        ]
        return self._of(data)

    def history(self) -> frozenset[bytes]:
        """Those of every commit that any ref leads to."""
        tips = [*{*self.run("for-each-ref", "--format=%(objectname)").stdout.decode().split()}]
        known = [f"^{tip}" for tip in self._tips]
        listed = self.run("rev-list", "--objects", "--no-object-names", *tips, *known)
        if listed.returncode:  # a tip that was there is not any more
            self._known = frozenset()
            listed = self.run("rev-list", "--objects", "--no-object-names", *tips)
        self._known |= self._of(listed.stdout.decode().split())
        self._tips = tips
        return self._known

    def reaches(self, commit: str) -> bool:
        """Whether some branch still leads to a commit."""
        return self.run("rev-list", "-n1", commit, "--not", "--all").stdout == b""

    def restored_streams(self) -> set[Key]:
        """The streams whose entries the last restore changed, though perhaps in what the server's
        digest leaves out."""
        last = [
            "log",
            "-1",
            "--grep=^Restore-Of: ",
            "--format=%H %(trailers:key=Replaced,valueonly)",
        ]
        found = self.run(*last).stdout.decode().split()
        if len(found) < 2:
            return set()
        after, replaced = found
        old, new = self._streams(replaced), self._streams(after)
        return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}

    def _streams(self, commit: str) -> dict[Key, Any]:
        """The entries of one commit's streams."""
        found: dict[Key, Any] = {}
        for path in self.run("ls-tree", "-r", "-z", "--name-only", commit).stdout.split(b"\0"):
            if path.startswith(b"db") and path.endswith(b".json"):
                entries = json.loads(self.run("show", f"{commit}:{path.decode()}").stdout)
                db = int(path[2 : path.index(b"/")])
                streams = {name: each for name, each in entries.items() if each["type"] == "stream"}
                found |= {(db, data(name)): entry for name, entry in streams.items()}
        return found

    def _of(self, objects: Iterable[str]) -> frozenset[bytes]:
        objects = [*objects]
        new = [one for one in objects if one not in self._tokens]
        if new:
            asked = "\n".join(new).encode() + b"\n"
            said = self.run("cat-file", "--batch", text=asked).stdout
            for one in new:
                first, _, said = said.partition(b"\n")
                facts = first.split()
                if facts[1:2] == [b"missing"]:
                    continue
                size = int(facts[2])
                body, said = said[:size], said[size + 1 :]
                self._tokens[one] = tokens_in(body) if facts[1] == b"blob" else frozenset()
        return frozenset().union(*(self._tokens.get(one, frozenset()) for one in objects))
