"""A git URL: git at work with a place elsewhere, with the user's own ssh, proxies and credentials.

What keeps other commands to themselves stays (no hooks, nothing of the environment that leads
to another repository); but git may ask for a password where there is a terminal. The user and
password of a URL go by the environment, for a command line is for all to read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitbackup import wording
from gitbackup.store.git.command import Commands, Result, text
from gitbackup.store.git.environment import asking
from gitbackup.store.metadata import settings_ref
from gitbackup.store.objects import refs
from gitbackup.store.transports.remote_url import (
    BRANCHES,
    NOTES,
    Remote,
    RemoteUrl,
    check_word,
    is_local,
    unreachable,
)
from gitbackup.store.transports.transport import PushedRefs

_USER, _PASSWORD = "GITBACKUP_URL_USER", "GITBACKUP_URL_PASSWORD"
_HELPER = (
    '!f() { test "$1" != get ||'
    f' printf "username=%s\\npassword=%s\\n" "${_USER}" "${_PASSWORD}"; }}; f'
)
_NO_DESCRIPTORS = ("-c", "protocol.fd.allow=never")  # those it could name are git's own
_PUSHED = (
    *(f"{BRANCHES}*:{BRANCHES}*", "refs/tags/*:refs/tags/*", f"{NOTES}*:{NOTES}*"),
    f"{settings_ref.FETCHED}:{settings_ref.FETCHED}",
)
_BESIDE = (NOTES, settings_ref.REF)
"""What is pushed beside the history: where that cannot be, it is worth a word."""
_BEHIND = re.compile(r"fetch first|non-fast-forward|stale info|already exists")


class GitUrl:
    """Whatever git can reach by itself."""

    fetches_detached = False

    def handles(self, place: RemoteUrl) -> bool:
        return True

    def target(self, path: Path, word: str, name: str) -> str | None:
        return None if is_local(word) else word

    def source(self, path: Path, word: str) -> str | None:
        return None if is_local(word) else word

    def is_in(self, place: RemoteUrl, folder: Path) -> bool:
        return False

    def expect(self, git: Commands, place: RemoteUrl) -> None:
        pass

    def heads(self, git: Commands, place: RemoteUrl) -> dict[str, str]:
        result = self.attempt(git, place, "ls-remote", "--quiet", "--", place.url)
        if result.status:
            raise unreachable(place, "ls-remote", result)
        return refs.listed(result.out, "\t")

    def branch(self, git: Commands, place: RemoteUrl) -> str:
        words = ("ls-remote", "--quiet", "--symref", "--", place.url, "HEAD")
        first = text(self.attempt(git, place, *words).out).partition("\t")[0]
        return first.removeprefix("ref: ") if first.startswith("ref: ") else ""

    def fetch(self, git: Commands, place: RemoteUrl, refspecs: Sequence[str]) -> None:
        result = self.attempt(git, place, *fetch_words(place.url, refspecs))
        if result.status:
            raise unreachable(place, "fetch", result)

    def push(self, git: Commands, remote: Remote) -> PushedRefs:
        branches = refs.under(git, BRANCHES)
        options = ("--porcelain", "--no-signed", "--no-follow-tags", "--no-verify")
        words = ("push", *options, "--recurse-submodules=no", "--", remote.place.url, *_PUSHED)
        result = self.attempt(git, remote.place, *words)
        answers = _answers(result.out)
        refused = {ref: why for flag, ref, why in answers if flag == "!"}
        changed = [ref for flag, ref, _ in answers if flag not in ("!", "=")]
        if result.status and not refused:
            raise unreachable(remote.place, "push", result)
        taken = {name: i for name, i in branches.items() if BRANCHES + name not in refused}
        beside = [ref for ref in refused if ref.startswith(_BESIDE)]
        if len(refused) > len(beside):
            return PushedRefs(taken, refused=_why(remote, refused))
        warnings = [_why_beside(remote, ref, refused[ref]) for ref in beside]
        return PushedRefs(taken, warnings, changed=changed)

    def encrypted(self, place: RemoteUrl) -> RemoteUrl | None:
        return None

    def encrypted_to(self, git: Commands, place: RemoteUrl) -> Sequence[str]:
        return ()

    def attempt(self, git: Commands, place: RemoteUrl, *words: str) -> Result:
        """Return how `git <words>` ends, that may talk to a place, by the user's own settings.

        Raises UsageError for a place that git would take for an option.
        """
        check_word(place.url)
        environment = asking() | _without(_hooks(git))
        helper: tuple[str, ...] = ()
        if place.password is not None:
            helper = ("-c", "credential.helper=", "-c", f"credential.helper={_HELPER}")
            environment |= {_USER: place.user, _PASSWORD: place.password}
        elif place.user:
            # as `-c` hands it on; git before 2.31 knows no GIT_CONFIG_COUNT
            user = place.user.replace("'", "'\\''")
            environment["GIT_CONFIG_PARAMETERS"] = f"'credential.username={user}'"
        words = (*_NO_DESCRIPTORS, *helper, *words)
        return git.attempt(*words, environment=environment, as_user=True)


def fetch_words(url: str, refspecs: Sequence[str]) -> list[str]:
    """Return git's words to fetch these from a URL, or a file, and nothing else."""
    quiet = ("--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-auto-gc")
    options = (*quiet, "--no-recurse-submodules", "--update-head-ok")
    return ["-c", "fetch.unpacklimit=1", "fetch", *options, "--", url, *refspecs]


def _hooks(git: Commands) -> set[str]:
    """Return the hooks that the user's settings name, which git 2.54 and newer run: not here."""
    words = ("config", "--null", "--name-only", "--get-regexp", r"^hook\..*\.(command|event)$")
    names = text(git.attempt(*words, as_user=True).out).split("\0")[:-1]
    return {name.partition(".")[2].rpartition(".")[0] for name in names}


def _without(hooks: set[str]) -> dict[str, str]:
    """Return the environment in which git runs none of these hooks, whatever their names hold."""
    told = {"GIT_CONFIG_COUNT": str(len(hooks))}
    for number, name in enumerate(hooks):
        told[f"GIT_CONFIG_KEY_{number}"] = f"hook.{name}.enabled"
        told[f"GIT_CONFIG_VALUE_{number}"] = "false"
    return told


def _answers(out: bytes) -> list[tuple[str, str, str]]:
    """Return what `push --porcelain` says of each ref: a flag, its name there, and why."""
    lines = (line.split("\t") for line in text(out).splitlines())
    return [(flag, ref.partition(":")[2], why) for flag, ref, why in (x for x in lines if x[2:])]


def _why_beside(remote: Remote, ref: str, why: str) -> str:
    what = "notes" if ref.startswith(NOTES) else "settings"
    if _BEHIND.search(why):
        return f"{remote} has {what} that are not here ({ref}): pull, then push"
    return f"{remote} refused the {what} ({ref}): {why}"


def _why(remote: Remote, refused: Mapping[str, str]) -> str:
    behind = [
        ref for ref, why in refused.items() if _BEHIND.search(why) and not ref.startswith(_BESIDE)
    ]
    if behind:
        named = ", ".join(ref.removeprefix(BRANCHES) for ref in behind)
        return (
            f"{remote} has commits that are not here ({named}), pushed from elsewhere,"
            " so these branches were not changed:"
            f" {wording.command('pull', 'pull()')} fetches them"
        )
    named = "; ".join(f"{ref.removeprefix(BRANCHES)}: {why}" for ref, why in refused.items())
    return f"{remote} refused some branches: {named}"
