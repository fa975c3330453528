"""Names of commits: HEAD, branches, and whatever else git resolves."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import dropwhile, takewhile

from gitbackup import wording
from gitbackup.errors import Busy, Damaged, GitbackupError, UsageError
from gitbackup.model.commits import RefName
from gitbackup.store.git import patterns
from gitbackup.store.git.command import Commands, failure, text
from gitbackup.store.objects.object_reader import reader_of

HELD = "refs/gitbackup/imported"
_NONE = "0" * 40
_LONGEST = 4096  # bytes of a file in refs/
_MOST_PACKED = 1 << 20  # bytes of the file of packed refs
_WORDS = 1_000  # ids on one command line
_SUBJECT = f"{__name__}.subject"
_IN_FILE = re.compile(rb"[0-9a-f]{40}\n")
_POINTS = re.compile(rb"ref: (refs/heads/(?!\.invalid)[^\0-\x20\x7f]+)\n")  # not of reftables
_WRONG = re.compile(r"^(?!warning:).|broken ref|dangling symref", re.MULTILINE)
"""What git says of a ref that is there and is none; it may warn of settings in any answer."""


def head(git: Commands) -> str | None:
    """Return the id of HEAD's commit; None if there is none yet.

    Raises Damaged if there was one, and a loss of power emptied the file of its id.
    """
    found = read(git, "HEAD")
    if found is None and (git.git_dir / (branch(git) or "HEAD")).is_file():
        found = read(git, "HEAD")  # another run may have made the first commit meanwhile
        if found is None:
            raise Damaged(
                f"HEAD of {git.folder} is damaged; see `git fsck`, and logs/HEAD for its earlier"
                " values"
            )
    return found


def read(git: Commands, ref: str) -> str | None:
    """Return the id that a ref's full name stands for; None if there is no such ref."""
    if found := _from_file(git, ref):
        return found
    result = git.attempt("rev-parse", "--verify", "--quiet", ref)
    if result.status > 1 or (result.status and _WRONG.search(result.error)):
        raise failure("rev-parse", result)
    found = result.out.decode("ascii").strip()
    # where there is no such ref, rev-parse finds one whose name ends so, such as a tag
    if found and git.attempt("show-ref", "--verify", "--quiet", ref).status == 1:
        return None
    return found or None


def _from_file(git: Commands, ref: str) -> str | None:
    """Return the id that a ref's own file holds, or the file of packed ones; None if git has to be
    asked.

    See "HEAD", "refs" and "packed-refs" in gitrepository-layout(5): what is in a ref's own file
    goes before all else.
    """
    content = _content(git, ref)
    if ref == "HEAD" and (points := _POINTS.fullmatch(content)):
        ref = points[1].decode("utf-8", "surrogateescape")
        content = _content(git, ref)
    content = content or _packed(git, ref)
    found = content[:-1].decode("ascii", "replace")
    return found if _IN_FILE.fullmatch(content) and found != _NONE else None


def _content(git: Commands, ref: str) -> bytes:
    """Return what a ref's own file holds; empty if there is none that says all."""
    file = git.git_dir / ref
    if ".." in ref or not (ref == "HEAD" or ref.startswith("refs/")):
        return b""
    try:
        found = file.lstat()
        is_plain = stat.S_ISREG(found.st_mode) and found.st_size < _LONGEST
        return file.read_bytes() if is_plain else b""
    except (OSError, ValueError):
        return b""


def _packed(git: Commands, ref: str) -> bytes:
    """Return what the file of packed refs holds of one that has no file of its own; empty if it
    holds nothing of it, or is large."""
    packed = git.git_dir / "packed-refs"
    try:
        if os.path.lexists(git.git_dir / ref) or packed.stat().st_size > _MOST_PACKED:
            return b""
        name = re.escape(ref.encode("utf-8", "surrogateescape"))
        found = re.search(rb"^([0-9a-f]{40}) %s$" % name, packed.read_bytes(), re.MULTILINE)
    except (OSError, ValueError):
        return b""
    return found[1] + b"\n" if found else b""


def is_absent(git: Commands, ref: str) -> bool:
    """Return whether there is surely no such ref; git is not asked, which takes longer."""
    elsewhere = ("reftable", "commondir")  # of repositories that keep their refs in another way
    if any((git.git_dir / name).exists() for name in elsewhere) or ".." in ref:
        return False
    packed = git.git_dir / "packed-refs"
    try:
        if os.path.lexists(git.git_dir / ref) or packed.stat().st_size > _MOST_PACKED:
            return False
        return f" {ref}\n".encode("utf-8", "surrogateescape") not in packed.read_bytes()
    except FileNotFoundError:
        return not os.path.lexists(git.git_dir / ref)
    except (OSError, ValueError):
        return False


def resolve(git: Commands, commit_ish: str) -> str:
    """Return the id of the commit that a person means; UsageError where git finds none, or two;
    Damaged where HEAD's commit cannot be read, so that little is found."""
    # a name from outside is never an option, and a ^ before it would mean all but that
    if re.match(r"[-^]|\Z", commit_ish) or re.search(r"[\0\r\n]", commit_ish):
        raise _unknown(git, commit_ish)
    if ":/" in commit_ish or "{/" in commit_ish:  # git looks for a message
        patterns.expect_modest(commit_ish)
    with suppress(Damaged):  # to name what cannot be read is to name nothing
        # what follows a name may be a part of it, so the name is looked up by itself
        found = reader_of(git).find(commit_ish)
        if found and (commit := _peeled(git, found.id)):
            return commit
    raise _unknown(git, commit_ish)


def is_commit(git: Commands, ident: str) -> bool:
    """Return whether an id is that of a commit, or of a tag of one."""
    return _peeled(git, ident) is not None


def _peeled(git: Commands, ident: str) -> str | None:
    """Return the commit that an id is, or a tag of it; None if it is neither, or cannot be read."""
    with suppress(Damaged):
        if found := reader_of(git).find(ident + "^{commit}"):
            return found.id
    return None


def under(git: Commands, prefix: str) -> dict[str, str]:
    """Return the refs that begin with `prefix`, by the rest of their names, and their ids."""
    out = git.run("for-each-ref", "--format=%(objectname) %(refname)", prefix)
    return {ref.removeprefix(prefix): ident for ref, ident in listed(out, " ").items()}


def listed(out: bytes, between: str) -> dict[str, str]:
    """Return the refs that git lists, a line each with the id before the name, and their ids."""
    lines = (line.partition(between) for line in text(out).splitlines())
    return {name: ident for ident, _, name in lines if not name.endswith("^{}")}


def names(git: Commands) -> list[RefName]:
    """Return branches and tags, the newest first."""
    peeled = "%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    form = f"--format=%(refname:short)%00{peeled}%00%(contents:subject)"
    places = ("refs/heads", "refs/tags", "refs/remotes")
    out = git.run("for-each-ref", "--sort=-creatordate", form, *places)
    lines = out.decode("utf-8", "replace").splitlines()
    return [RefName(*line.split("\0", 2)) for line in lines]


def move(git: Commands, ref: str, new: str, old: str | None) -> None:
    """Move a ref from `old`, None for nowhere, to `new`; Busy where it is elsewhere."""
    message = f"gitbackup: {_subject(git, new)}".strip()
    result = git.attempt("update-ref", "-m", message, ref, new, old or _NONE)
    if not result.status:
        return
    check(git, ref, old)
    if ".lock'" in result.error and "File exists" in result.error:
        raise Busy(str(failure("update-ref", result)))
    raise failure("update-ref", result)


def keep_subject(git: Commands, commit: str, message: str) -> None:
    """Remember the subject of a commit that was just made, for the log of the ref it goes to."""
    lines = (line.rstrip() for line in message.split("\n"))
    git.memo[_SUBJECT] = commit, " ".join(takewhile(bool, dropwhile(lambda line: not line, lines)))


def _subject(git: Commands, commit: str) -> str:
    made, subject = git.memo.get(_SUBJECT, ("", ""))
    if made == commit:
        return str(subject)
    return git.run("log", "-1", "--format=%s", commit).decode("utf-8", "replace")


def check(git: Commands, ref: str, expected: str | None) -> None:
    """Raise Busy if a ref is not at the commit expected, None for nowhere."""
    if read(git, ref) != expected:
        raise Busy(
            f"{ref} of {git.folder} was changed by another process; nothing was changed"
            " here, run again"
        )


def is_past(git: Commands, commit: str) -> bool:
    """Return whether a commit is HEAD's, or in its history."""
    if _from_file(git, "HEAD") == commit:
        return True
    return holds(git, commit, "HEAD")


def holds(git: Commands, older: str, newer: str) -> bool:
    """Return whether a commit is the newer one, or in the history of that."""
    return git.attempt("merge-base", "--is-ancestor", older, newer).status == 0


def count(git: Commands, *revisions: str) -> int:
    """Return how many commits these are; none are none."""
    if not revisions:
        return 0
    # a line each, for a command line has an end, and a history may have more refs than fit
    lines = "".join(f"{revision}\n" for revision in revisions)
    return int(git.run("rev-list", "--count", "--stdin", stdin=lines.encode("utf-8")))


def count_beyond(git: Commands, commit: str, kept: Collection[str]) -> int:
    """Return how many commits of a history are in that of none of `kept`.

    Where a commit is dated before its parents, git's walk may end too early, and take what both
    have for what one has. So 0 is exact, and another number may be too high.
    """
    found = count(git, commit, *(f"^{other}" for other in kept))
    return 0 if found and _is_in_any(git, commit, [*kept]) else found


def _is_in_any(git: Commands, commit: str, others: Sequence[str]) -> bool:
    """Return whether a commit is one of the others, or in the history of one."""
    own = git.run("rev-parse", commit)
    some = (others[at : at + _WORDS] for at in range(0, len(others), _WORDS))
    # what it has in common with a merge of them all
    return any(git.attempt("merge-base", commit, *each).out == own for each in some)


def branch(git: Commands) -> str:
    """Return the full name of the branch that HEAD is on; empty if it is on none."""
    content = _content(git, "HEAD")
    if _IN_FILE.fullmatch(content):
        return ""
    if points := _POINTS.fullmatch(content):
        ref = points[1].decode("utf-8", "surrogateescape")
        if not _content(git, ref).startswith(b"ref:"):
            return points[1].decode("utf-8", "replace")
    return git.attempt("symbolic-ref", "--quiet", "HEAD").out.decode("utf-8", "replace").strip()


def save(git: Commands, name: str, commit: str) -> None:
    """Make a branch, or move it forward, to a commit. HEAD's own branch is refused.

    Raises UsageError for a name that git does not take, GitbackupError where the branch
    holds commits that the new one does not come from.
    """
    ref = f"refs/heads/{name}"
    if name.startswith("-") or git.attempt("check-ref-format", "--branch", name).status:
        raise UsageError(f"{name!r} is not a valid branch name")
    if branch(git) == ref:
        raise UsageError(f"HEAD is on the branch {name!r}; name another")
    old = read(git, ref)
    if old and not holds(git, old, commit):
        raise GitbackupError(f"branch {name!r} has commits that would be lost; name another")
    move(git, ref, commit, old)


def hold(git: Commands, commit: str | None) -> None:
    """Keep a commit that no branch has, in place of the one that was kept so; None for none."""
    if commit is None:
        git.run("update-ref", "-d", HELD)
    else:
        git.run("update-ref", HELD, commit)


def expect_head(git: Commands) -> None:
    """Raise Damaged, which says what to do, if HEAD's commit cannot be read."""
    if (found := head(git)) and not is_commit(git, found):
        raise lost(git, found)


def lost(git: Commands, commit: str) -> Damaged:
    """Return the error to raise where HEAD's commit cannot be read."""
    if not git.attempt("cat-file", "commit", commit).status:  # it is there, and git still fails
        why = failure("rev-list", git.attempt("rev-list", "--max-count=1", commit))
        return Damaged(f"{git.folder} is damaged: {why}")
    return Damaged(
        f"HEAD of {git.folder} is damaged, because its commit {commit[:7]} cannot be read:"
        f" {git.git_dir / 'logs' / 'HEAD'} lists earlier ones, and"
        f" `{go_back(git)}` goes back to one of them"
    )


def go_back(git: Commands) -> str:
    """Return the command by which a person makes an earlier commit HEAD again."""
    return f"git -C {git.folder} {'update-ref HEAD' if git.bare else 'reset --hard'} COMMIT"


def _unknown(git: Commands, commit_ish: str) -> UsageError:
    expect_head(git)
    if head(git) is None:
        makes = f"{wording.command('commit', 'commit()')} makes one"
        return UsageError(f"there is no commit in {git.folder}; {makes}")
    return UsageError(
        f"there is no commit {commit_ish!r} in {git.folder}; {wording.command('log', 'log()')}"
        " lists them"
    )
