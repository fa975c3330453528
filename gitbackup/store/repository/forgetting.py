"""Put a rewritten history in place of the old one, of which nothing stays.

A journal names every step before the first one. So a run that is killed leaves the old history, or
the next run that holds the repository's lock completes the new one.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitbackup.errors import GitbackupError
from gitbackup.store.git import settings
from gitbackup.store.git.command import Commands, file_errors, text
from gitbackup.store.metadata import settings_ref
from gitbackup.store.metadata.forgotten import Forgotten, compose, parse, read
from gitbackup.store.objects import refs
from gitbackup.store.objects.quarantine import Quarantine
from gitbackup.store.objects.trees import changed_files
from gitbackup.store.pack.writer import PackWriter
from gitbackup.store.repository import checkout, restore_journal, worktree
from gitbackup.store.repository.checkout import write_whole
from gitbackup.system.atomic_file import new_file

if TYPE_CHECKING:
    from gitbackup.store.commits.rewrite import Cut, Rewritten

_JOURNAL = "gitbackup/forgetting"
_LOG_LINE = re.compile(r"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\t\n]*)(?:\t(.*))?")
_ID = re.compile(r"[0-9a-f]{40}")
_NONE = "0" * 40
_LEFT = (
    *("ORIG_HEAD", "FETCH_HEAD", "COMMIT_EDITMSG", "MERGE_MSG", "AUTO_MERGE", "gitbackup/seen"),
    *("fast_import_crash_*", "gitbackup/decrypted-*", "gitbackup/proof-*", "gitbackup/index"),
    *("objects/info/commit-graph", "objects/info/commit-graphs", "gitbackup/hooks.log"),
)
"""What may hold something of the old history, or names it, and is made again if it is needed."""


class HistoryRewriting:
    """A rewriting that is prepared, and may be carried out."""

    def __init__(self, git: Commands, apart: Quarantine, pack: PackWriter) -> None:
        self._git = git
        self._apart = apart
        self._pack = pack

    def prepare(
        self,
        needle: bytes,
        cut: Callable[[bytes], Cut | None],
        scrub: Callable[[bytes], bytes],
    ) -> Rewritten:
        """Write the new history beside the old one, and return what it is.

        `needle` is in each file that has the content; `cut` and `scrub` are as for Rewriter.
        """
        from gitbackup.store.commits.rewrite import Rewriter  # to load it only if it is needed

        rewriter = Rewriter(self._git, self._pack, cut, scrub)
        with file_errors("write to the data repository"):
            rewriter.cut_blobs(needle)
            made = rewriter.rewrite()
            self._pack.finish()
        return made

    def carry_out(self, made: Rewritten, record: Forgotten, settings: bytes) -> None:
        """Put the new history in place of the old one, and remove that; note the record.

        `settings` is the file that travels, if there is none yet. Raises GitbackupError if a
        person's files in the work tree are in the way: then nothing was changed.
        """
        git = self._git
        head = refs.head(git)
        new = made.commits.get(head or "")
        if head and new and not git.bare:
            seeing = self._apart.seeing()
            paths = [each.path for each in changed_files(git, head, new, seeing) if each.after]
            worktree.check(git, head, new, paths, seeing)
        self._apart.admit()
        journal = {
            "head": [head, new] if new else None,
            "branch": refs.branch(git),
            "refs": made.refs,
            "map": made.commits | made.others,
            "blobs": sorted(made.blobs),
            "record": asdict(record),
            "settings": text(settings),
        }
        with file_errors("write to the data repository"):
            write_whole(git.git_dir / _JOURNAL, json.dumps(journal))
        finish(git)


@contextmanager
def rewriting(git: Commands) -> Iterator[HistoryRewriting]:
    """Prepare a rewriting in a quarantine, which goes with the context; under all locks.

    Raises GitbackupError if something of the repository could not follow.
    """
    _expect_whole(git)
    apart = Quarantine(git)
    try:
        with PackWriter(apart.packs) as pack:
            yield HistoryRewriting(git, apart, pack)
    finally:
        apart.remove()


def _expect_whole(git: Commands) -> None:
    """Raise GitbackupError if the repository has what a rewriting would leave behind."""
    worktree.expect_finished(git)
    for name, what in (
        ("shallow", "it is a shallow clone; `git fetch --unshallow` completes it"),
        ("objects/info/alternates", "it borrows objects of another repository; clone it anew"),
        ("refs/stash", "there are stashes; `git stash drop` or `git stash pop` them"),
        ("worktrees", "it has linked work trees; `git worktree remove` removes them"),
        ("refs/replace", "it has replacements; `git replace -d` removes them"),
    ):
        path = git.git_dir / name
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise GitbackupError(f"the history of {git.folder} cannot be rewritten: {what}")


def finish(git: Commands) -> None:
    """Complete the rewriting that was begun, if one was; under the repository's lock."""
    file = git.git_dir / _JOURNAL
    if not file.exists():
        return
    from gitbackup.store.commits import rewrite  # to load it only if it is needed

    with file_errors("read what a killed run left"):
        journal = json.loads(file.read_bytes())
    _keep_map(git, journal["map"])
    _remember(git, journal)
    _move_refs(git, journal)
    head = journal["head"]
    if head and refs.head(git) == head[0]:
        checkout.advance(git, head[0], head[1])
    _rename_in_restores(git, journal["map"])
    _rename_in_settings(git, journal["map"])
    with file_errors("remove what the old history left"):
        _remove_left(git)
        _rewrite_logs(git, journal["map"])
    rewrite.prune(git)
    with file_errors("write to the data repository"):
        file.unlink()
    rewrite.expect_gone(git, journal["blobs"])


def _keep_map(git: Commands, made: Mapping[str, str]) -> None:
    from gitbackup.store.commits import rewrite  # to load it only if it is needed

    known = {old: made.get(new, new) for old, new in rewrite.known(git).items()} | {**made}
    lines = "".join(f"{old} {new}\n" for old, new in known.items())
    with file_errors("write to the data repository"):
        write_whole(git.git_dir / rewrite.REWRITTEN, lines)


def _remember(git: Commands, journal: Mapping[str, Any]) -> None:
    """Note what was forgotten, so that it does not come back."""
    records = parse(compose([Forgotten(**journal["record"])]))
    known = {record.id for record in read(git)}
    if any(record.id not in known for record in records):
        remember(git, records, journal["settings"].encode("utf-8", "surrogateescape"))


def remember(git: Commands, records: Sequence[Forgotten], settings: bytes) -> None:
    """Add records to those that travel with the history; `settings` is as for carry_out()."""
    before = settings_ref.commit(git, settings_ref.REF)
    content = settings_ref.read(git, before) if before else None
    settings_ref.write(git, content or settings, [before] if before else [], records)


def allow(git: Commands, records: Sequence[Forgotten], settings: bytes) -> None:
    """Note that the values of these records may come back; `settings` is as for carry_out()."""
    remember(git, [replace(record, digests=()) for record in records], settings)


def _move_refs(git: Commands, journal: Mapping[str, Any]) -> None:
    """Move all refs but HEAD's branch, which the work tree follows."""
    lines = []
    for ref, (old, new) in journal["refs"].items():
        if ref != journal["branch"] and refs.read(git, ref) == old:
            lines.append(f"update {ref}\0{new}\0{old}\0" if new else f"delete {ref}\0{old}\0")
    stdin = "".join(lines).encode("utf-8", "surrogateescape")
    words = ("update-ref", "--no-deref", "-m", "gitbackup: forget", "--stdin", "-z")
    git.run(*words, stdin=stdin)


def _rename_in_restores(git: Commands, made: Mapping[str, str]) -> None:
    """Give the restores in the journal that are done the new ids."""
    file = git.git_dir / restore_journal.JOURNAL
    if file.exists():
        content = file.read_text("utf-8")
        write_whole(file, _ID.sub(lambda found: made.get(found[0], found[0]), content))


def _rename_in_settings(git: Commands, made: Mapping[str, str]) -> None:
    """Give the commits whose alarms are accepted their new ids."""

    def renamed(value: str) -> str:
        return next((new for old, new in made.items() if old.startswith(value.lower())), value)

    name = "accept-alarm"
    found = settings.sourced(git)
    own = [value for each, value, scope, _ in found if (each, scope) == (name, "local")]
    if own != [*map(renamed, own)]:
        settings.set_all(git, name, [*map(renamed, own)])


def _remove_left(git: Commands) -> None:
    for pattern in _LEFT:
        for left in git.git_dir.glob(pattern):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()


def _rewrite_logs(git: Commands, made: Mapping[str, str]) -> None:
    """Name the new commits in the logs of refs, and remove what names others that are gone."""
    listed = text(git.run("log", "--format=%H %s", "--all", "HEAD")).splitlines()
    there = {line[:40]: line[41:] for line in listed} | {_NONE: ""}
    for file in sorted((git.git_dir / "logs").rglob("*")):
        if not file.is_file() or file.is_symlink():
            continue
        lines = file.read_text("utf-8", "surrogateescape").split("\n")
        kept = [line for each in lines if (line := _log_line(each, made, there))]
        _write_log(file, "".join(f"{line}\n" for line in kept))


def _log_line(line: str, made: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Return a line as it is now, empty if its commit is gone, or it is the rewriting
    itself; `there` has subjects by commit."""
    found = _LOG_LINE.fullmatch(line)
    if found is None:
        return ""
    old, new = (made.get(id_, id_) for id_ in (found[1], found[2]))
    if new not in there or (old == new and found[1] != found[2]):
        return ""
    message = f"gitbackup: {there[new]}" if found[2] in made else found[4] or ""
    return f"{old if old in there else _NONE} {new} {found[3]}\t{message}"


def _write_log(file: Path, content: str) -> None:
    with new_file(file) as stream:
        stream.write(content.encode("utf-8", "surrogateescape"))
