"""Rewrite a history so that some content is in none of its commits.

Each blob of a snapshot that has the content gets another one, or goes; then each tree, and each
commit from the first on that differs. What a commit keeps stays to the byte, its dates too. So
two clones that rewrite the same history in the same way have the same commits again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gitbackup.errors import Damaged, GitbackupError
from gitbackup.store.git.command import Commands, failure, text
from gitbackup.store.objects import refs
from gitbackup.store.objects.object_reader import answer_of_any, reader_of
from gitbackup.store.objects.trees import inside
from gitbackup.store.pack.writer import PackWriter, object_id

NOTES = ("refs/notes/", "refs/gitbackup/notes/")
OF_REMOTES = ("refs/remotes/", "refs/gitbackup/notes/", "refs/gitbackup/heads/")
"""What tells what another place has: it does not have the new history."""

REWRITTEN = "gitbackup/rewritten"
_SIGNED = re.compile(rb"^(?:gpgsig|gpgsig-sha256|mergetag) .*\n(?: .*\n)*", re.MULTILINE)
_SIGNATURE = re.compile(rb"-----BEGIN (?:PGP|SSH) SIGNATURE-----.*", re.DOTALL)
_PARENT = re.compile(rb"^parent ([0-9a-f]{40})\n", re.MULTILINE)
_ID = re.compile(rb"\b[0-9a-f]{7,40}\b")
_SHORT = 7
_FOLDER = re.compile(r"db[0-9]+")
_TRAILERS = b"\nFormat: "


@dataclass(frozen=True, slots=True)
class Cut:
    """A file without the content; None if nothing else is in it. `parts` says what is missing."""

    content: bytes | None
    parts: str


@dataclass(slots=True)
class Rewritten:
    """What a rewritten history is: new ids by old ones, None for what goes.

    `commits` are those that have changed, the oldest first, and `holding` how many of them had the
    content, of `count`; `blobs` are the ids of the files that had it; `refs` has each ref that
    moves, with its id before and then, None if it goes; `others` are old tags and notes.
    """

    commits: dict[str, str] = field(default_factory=dict)
    holding: int = 0
    first: str | None = None
    count: int = 0
    blobs: dict[str, str | None] = field(default_factory=dict)
    refs: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)


class Rewriter:
    """Rewrites all refs of a repository, into a pack that is not admitted yet.

    `cut` returns a file of a snapshot without the content, None if it has none of it. `scrub`
    returns the text of a message or a note without it.
    """

    def __init__(
        self,
        git: Commands,
        pack: PackWriter,
        cut: Callable[[bytes], Cut | None],
        scrub: Callable[[bytes], bytes],
    ) -> None:
        self._git = git
        self._pack = pack
        self._cut = cut
        self._scrub = scrub
        self._reader = reader_of(git)
        self._parts: dict[str, str] = {}
        self._trees: dict[tuple[str, bool], tuple[str | None, frozenset[str]]] = {}
        self._prefixes: dict[bytes, str] = {}
        self.made = Rewritten()

    def _add(self, kind: bytes, content: bytes) -> str:
        """Write an object; return its id."""
        id_ = object_id(kind, content)
        self._pack.put(kind, content, id_)
        return id_.hex()

    def cut_blobs(self, needle: bytes) -> int:
        """Rewrite each blob that has the content; return how many. `needle` is in each such one."""
        for id_, content in _blobs_with(self._git, needle):
            if cut := self._cut(content):
                new = None if cut.content is None else self._add(b"blob", cut.content)
                self.made.blobs[id_] = new
                self._parts[id_] = cut.parts
        return len(self.made.blobs)

    def rewrite(self) -> Rewritten:
        """Rewrite commits, tags, notes; return where each ref goes."""
        tips = refs.under(self._git, "refs/")
        tips = {f"refs/{name}": id_ for name, id_ in tips.items()}
        notes = {ref: id_ for ref, id_ in tips.items() if ref.startswith(NOTES)}
        for commit in self._commits(tips.keys() - notes.keys()):
            self.made.count += 1
            self._rewrite_commit(commit)
        for ref, id_ in tips.items():
            new = self._rewrite_notes(id_) if ref in notes else self._rewrite_tip(id_)
            if new != id_:
                self.made.refs[ref] = id_, None if ref.startswith(OF_REMOTES) else new
        return self.made

    def _commits(self, names: Iterable[str]) -> list[str]:
        """Return all commits of these refs and HEAD, parents before children."""
        stdin = "".join(f"{name}\n" for name in sorted(names)).encode("utf-8", "surrogateescape")
        words = ("rev-list", "--topo-order", "--reverse", "--ignore-missing", "HEAD", "--stdin")
        return text(self._git.run(*words, stdin=stdin)).split()

    def _rewrite_commit(self, commit: str) -> None:
        head, _, message = self._reader.commit(commit).partition(b"\n\n")
        head += b"\n"
        tree = head[5:45].decode("ascii")
        new_tree, parts = self._rewrite_root(tree)
        parents = _PARENT.findall(head)
        words = self._scrub(self._renamed(message))
        if (
            new_tree == tree
            and words == message
            and not any(parent.decode("ascii") in self.made.commits for parent in parents)
        ):
            return
        if parts:
            self.made.holding += 1
            self.made.first = self.made.first or commit
            words = _told(words, parts)
        new = head.replace(tree.encode("ascii"), new_tree.encode("ascii"), 1)
        new = _PARENT.sub(self._parent, _SIGNED.sub(b"", new))
        made = self._add(b"commit", new + b"\n" + words)
        self.made.commits[commit] = made
        self._prefixes[commit[:_SHORT].encode("ascii")] = commit

    def _parent(self, found: re.Match[bytes]) -> bytes:
        old = found[1].decode("ascii")
        return b"parent " + self.made.commits.get(old, old).encode("ascii") + b"\n"

    def _renamed(self, message: bytes) -> bytes:
        """Return a message that names the new commits where it named the old ones."""

        def new(found: re.Match[bytes]) -> bytes:
            old = self._prefixes.get(found[0][:_SHORT], "")
            if not old.startswith(found[0].decode("ascii")):
                return found[0]
            return self.made.commits[old][: len(found[0])].encode("ascii")

        return _ID.sub(new, message) if self._prefixes else message

    def _rewrite_root(self, tree: str) -> tuple[str, frozenset[str]]:
        new, parts = self._rewrite_tree(tree, top=True)
        return new or self._add(b"tree", b""), parts

    def _rewrite_tree(self, tree: str, top: bool = False) -> tuple[str | None, frozenset[str]]:
        """Return the id of a folder without the content, None if it is empty; and what is gone."""
        known = self._trees.get((tree, top))
        if known is not None:
            return known
        entries = inside(self._reader.tree(tree))
        changed: dict[str, str | None] = {}
        missing: set[str] = set()
        for name, entry in entries.items():
            if top and not (entry.folder and _FOLDER.fullmatch(name)):
                continue
            if entry.folder:
                new, parts = self._rewrite_tree(entry.id)
            elif entry.id in self.made.blobs:
                new, parts = self.made.blobs[entry.id], frozenset([self._parts[entry.id]])
            else:
                continue
            if new != entry.id:
                changed[name] = new
                missing |= parts | ({"files=1"} if new is None else set())
        found: tuple[str | None, frozenset[str]] = (tree, frozenset())
        if changed:
            data = b"".join(
                _entry(name, entry.mode, new)
                for name, entry in entries.items()
                if (new := changed.get(name, entry.id)) is not None
            )
            found = (self._add(b"tree", data) if data else None, frozenset(missing))
        self._trees[tree, top] = found
        return found

    def _rewrite_tip(self, id_: str) -> str:
        """Return the new id of what a ref is at: a commit, or a tag."""
        found = self._reader.find(id_)
        if found is None:
            raise Damaged(f"{self._git.folder} is damaged: {id_}, which a ref names, is missing")
        if found.kind != "tag":
            return self.made.commits.get(id_, id_)
        data = self._reader.tag(id_)
        old = data[7:47].decode("ascii")
        new = self._rewrite_tip(old)
        head, _, message = data.partition(b"\n\n")
        words = self._scrub(self._renamed(message))
        if new == old and words == message:
            return id_
        words = _SIGNATURE.sub(b"", words)
        head = head.replace(old.encode("ascii"), new.encode("ascii"), 1)
        self.made.others[id_] = self._add(b"tag", head + b"\n\n" + words)
        return self.made.others[id_]

    def _rewrite_notes(self, tip: str) -> str:
        """Return a commit of the notes on the new commits; it has no parents, for those would have
        the notes on the old ones."""
        head, _, _ = self._reader.commit(tip).partition(b"\n\n")
        tree = head[5:45].decode("ascii")
        notes = dict(self._notes(tree, ""))
        now = {}
        for commit, blob in notes.items():
            content = self._reader.read(blob)
            words = self._scrub(content)
            new = blob if words == content else self._add(b"blob", words)
            now[self.made.commits.get(commit, commit)] = new
        if now == notes:
            return tip
        # as git spreads them where there are more than a few
        folders: dict[str, dict[str, str]] = {}
        for commit, blob in sorted(now.items()):
            folders.setdefault(commit[:2], {})[commit[2:]] = blob
        data = b"".join(
            _entry(name, "40000", self._add(b"tree", _flat(files)))
            for name, files in sorted(folders.items())
        )
        rest = _SIGNED.sub(b"", _PARENT.sub(b"", head[46:] + b"\n"))
        root = self._add(b"tree", data)
        made = self._add(b"commit", b"tree %s\n%s\nnotes\n" % (root.encode("ascii"), rest))
        before = text(self._git.run("rev-list", tip)).split()
        self.made.others |= dict.fromkeys(before, made)
        return made

    def _notes(self, tree: str, before: str) -> Iterator[tuple[str, str]]:
        """Yield the commits that have notes, with their blobs, however git has spread them."""
        for name, entry in inside(self._reader.tree(tree)).items():
            if entry.folder:
                yield from self._notes(entry.id, before + name)
            else:
                yield before + name, entry.id


def _told(message: bytes, parts: Iterable[str]) -> bytes:
    """Return a message of ours with a trailer that says what is missing."""
    if _TRAILERS not in message:
        return message
    return message.rstrip(b"\n") + b"\nForgotten: " + " ".join(sorted(parts)).encode() + b"\n"


def _entry(name: str, mode: str, id_: str) -> bytes:
    file = name.encode("utf-8", "surrogateescape")
    return mode.encode("ascii") + b" " + file + b"\0" + bytes.fromhex(id_)


def _flat(files: Mapping[str, str]) -> bytes:
    return b"".join(_entry(name, "100644", blob) for name, blob in sorted(files.items()))


def _blobs_with(git: Commands, needle: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each blob of the repository that has these bytes, one after the other."""
    process = git.start("cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer")
    try:
        while (found := answer_of_any(process)) is not None:
            id_, kind, content = found
            if kind == "blob" and needle in content:
                yield id_, content
    except (EOFError, ValueError) as error:
        raise failure("cat-file", process.kill()) from error
    result = process.finish()
    if result.status:
        raise failure("cat-file", result)


def known(git: Commands) -> dict[str, str]:
    """Return the new ids of commits, tags and notes by the ones before they were rewritten."""
    try:
        lines = (git.git_dir / REWRITTEN).read_text("ascii").splitlines()
    except (OSError, ValueError):
        return {}
    return dict(line.split(" ", 1) for line in lines if " " in line)


def prune(git: Commands) -> None:
    """Remove all objects that no ref leads to, from the packs, too."""
    reader_of(git).close()
    for words in (
        ("repack", "-a", "-d", "-q", "--window=10"),
        ("prune", "--expire=now"),
    ):
        result = git.attempt(*words)
        if result.status:
            raise failure(words[0], result)


def expect_gone(git: Commands, blobs: Iterable[str]) -> None:
    """Raise GitbackupError if one of these blobs is in the repository still."""
    stdin = "".join(f"{blob}\n" for blob in blobs).encode("ascii")
    for line in text(git.run("cat-file", "--batch-check", stdin=stdin)).splitlines():
        if not line.endswith(" missing"):
            raise GitbackupError(
                f"{git.folder} still has the object {line[:40]}, which holds the value: something"
                " keeps it, such as a .keep file in objects/pack or a file in objects/info"
            )
