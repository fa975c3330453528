"""A person's words on a commit, as a git note: why it was made, said afterwards.

They are in a ref of their own, and `git notes` reads them:
`git notes --ref=gitbackup-words show HEAD`. They come from elsewhere, too, so that whatever is in
there is text of a limited length, and one that cannot be read hides no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gitbackup.errors import Damaged, GitbackupError, TooLarge, UsageError
from gitbackup.store.git.command import Commands
from gitbackup.store.metadata import notes
from gitbackup.store.objects import refs
from gitbackup.store.objects.object_reader import reader_of
from gitbackup.store.objects.trees import listing

REF = "refs/notes/gitbackup-words"
WHAT = "notes on commits"
LONGEST = 16_384  # characters
_MOST = 4 * LONGEST + 4  # bytes of a note that is read
_ID = re.compile("[0-9a-f]{40}")


def write(git: Commands, commit: str, words: str | None) -> None:
    """Make these the words on a commit, None for none; under the repository's lock.

    Raises UsageError if there are more of them than `LONGEST` characters.
    """
    if words is not None and len(words) > LONGEST:
        raise UsageError(f"a note may have at most {LONGEST:,} characters, not {len(words):,}")
    subject = f"{'removed the note of' if words is None else 'a note on'} {commit[:7]}\n"
    content = None if words is None else f"{words}\n".encode("utf-8", "replace")
    notes.store(git, REF, {commit: content}, subject)


def read(git: Commands, commit: str) -> str:
    """Return the words on a commit; empty if there are none, or none that can be read."""
    return "" if refs.is_absent(git, REF) else _cut(notes.read(git, commit, REF))


def every(git: Commands) -> Mapping[str, str]:
    """Return the blob of each commit's words. Raises GitbackupError if they cannot be listed."""
    if refs.is_absent(git, REF) or (tip := refs.read(git, REF)) is None:
        return {}
    named = ((path.replace("/", ""), entry.id) for path, entry in listing(git, tip).items())
    return {commit: blob for commit, blob in named if _ID.fullmatch(commit)}


def reader(git: Commands, tell: Callable[[str], None]) -> Callable[[str], str]:
    """Return a function that gives the words on a commit, quick for many commits.

    What cannot be read is no words; if that is all of them, `tell` is given the reason.
    """
    try:
        known = every(git)
    except GitbackupError as error:
        known = {}
        tell(f"cannot read the {WHAT} ({error}); `git update-ref -d {REF}` removes them")

    def words(commit: str) -> str:
        try:
            if commit in known:
                return _cut(reader_of(git).read(known[commit], _MOST).decode("utf-8", "replace"))
        except TooLarge:  # of which the beginning is shown
            return read(git, commit)
        except Damaged:
            pass
        return ""

    return words


def _cut(note: str) -> str:
    note = note.strip()
    return note if len(note) <= LONGEST else note[: LONGEST - 1] + "…"
