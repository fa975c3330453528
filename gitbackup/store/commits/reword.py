"""Give HEAD's commit another message, and find what keeps it from getting one.

The commit with the other message has another id. So it is done only where nothing else leads to
the commit, or names it: neither another ref nor another commit.
"""

from __future__ import annotations

import re

from gitbackup.store.git import identity
from gitbackup.store.git.command import Commands, text
from gitbackup.store.metadata import notes
from gitbackup.store.objects import refs
from gitbackup.store.objects.object_reader import reader_of

NOTES = "refs/notes/"
_PLACES = {"refs/tags/": "the tag {} names it", "refs/heads/": "the branch {} has it, too"}
_SIGNED = rb"(?m)^(?:gpgsig|gpgsig-sha256|encoding) .*\n(?: .*\n)*"
"""What a header says of the message alone, and is not so of another one."""


def message_of(git: Commands, commit: str) -> str:
    """Return a commit's message as it is stored. Raises Damaged if it cannot be read."""
    return text(reader_of(git).commit(commit).partition(b"\n\n")[2])


def named_by(git: Commands, commit: str) -> str:
    """Return what else than HEAD's branch leads to HEAD's commit, or names it, in words; empty if
    nothing does."""
    own = refs.branch(git)
    found = git.run("for-each-ref", f"--contains={commit}", "--format=%(refname)")
    for ref in text(found).splitlines():
        if ref != own:
            return _in_words(ref)
    options = ("--all", f"^{commit}", "--no-notes", "--fixed-strings", f"--grep={commit}")
    if named := git.run("log", "--format=%h", "--max-count=1", *options):
        return f"commit {text(named).strip()} names it"
    return ""


def _in_words(ref: str) -> str:
    for place, words in _PLACES.items():
        if ref.startswith(place):
            return words.format(ref.removeprefix(place))
    if ref.startswith("refs/remotes/"):
        return f"it was pushed to {ref.removeprefix('refs/remotes/').partition('/')[0]}"
    return f"{ref} leads to it"


def reword(git: Commands, commit: str, message: str) -> str:
    """Put HEAD's commit with another message in its place; return its id.

    Tree, parents, author, committer and dates stay, and it has the notes of the other. Raises Busy
    if HEAD has moved. A run that is killed leaves HEAD at the one commit or the other.
    """
    head, _, _ = reader_of(git).commit(commit).partition(b"\n\n")
    data = re.sub(_SIGNED, b"", head + b"\n") + b"\n" + message.encode("utf-8", "surrogateescape")
    made = text(git.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=data)).strip()
    if made == commit:
        return commit
    environment = identity.environment(git)
    for name in refs.under(git, NOTES):
        if notes.read(git, commit, NOTES + name):
            words = ("notes", f"--ref={NOTES}{name}", "copy", "-f", commit, made)
            git.run(*words, environment=environment)
    refs.keep_subject(git, made, message)
    refs.move(git, "HEAD", made, commit)
    return made
