"""Git at work with a place elsewhere: with the user's own ssh, proxies and credentials.

What keeps other commands to themselves stays (no hooks, nothing of the environment that leads
to another repository); but git may ask for a password where there is a terminal. The user and
password of a URL go by the environment, for a command line is for all to read.
"""

from __future__ import annotations

import re
from pathlib import Path

from gitbackup.errors import Damaged, GitbackupError, UsageError
from gitbackup.store.git.command import Commands, Result, failure, file_errors, text
from gitbackup.store.git.environment import asking
from gitbackup.store.remotes import remote_url
from gitbackup.store.remotes.remote_url import RemoteUrl

_USER, _PASSWORD = "GITBACKUP_URL_USER", "GITBACKUP_URL_PASSWORD"
_HELPER = (
    '!f() { test "$1" != get ||'
    f' printf "username=%s\\npassword=%s\\n" "${_USER}" "${_PASSWORD}"; }}; f'
)
_NO_DESCRIPTORS = ("-c", "protocol.fd.allow=never")  # those it could name are git's own
_ONE_PACK = ("-c", "fetch.unpacklimit=1")
_A_FILE = {"GIT_ALLOW_PROTOCOL": "file"}  # goes before all that a config permits or forbids

_FORBIDDEN = re.compile("transport '.*' not allowed")
_POLICY = " (git's settings protocol.*.allow, or GIT_ALLOW_PROTOCOL, tell which are)"


def heads(git: Commands, place: RemoteUrl) -> dict[str, str]:
    """Every ref that a place has, HEAD among them, and its id; none where a bundle is not there.

    Raises GitbackupError where it cannot be read.
    """
    if place.is_bundle:
        return _bundle_heads(git, place)
    result = attempt(git, place, "ls-remote", "--quiet", "--", place.url)
    if result.status:
        raise unreachable(place, "ls-remote", result)
    return listed(result.out, "\t")


def branch(git: Commands, place: RemoteUrl) -> str:
    """The full name of the branch that a place's HEAD is on; empty where it does not tell."""
    if place.is_bundle:
        return ""
    result = attempt(git, place, "ls-remote", "--quiet", "--symref", "--", place.url, "HEAD")
    first = text(result.out).partition("\t")[0]
    return first.removeprefix("ref: ") if first.startswith("ref: ") else ""


def fetch(git: Commands, place: RemoteUrl, refspecs: list[str]) -> None:
    """Gets refs, and all that they hold; git checks that it is all there and whole.

    Raises Damaged for a bundle that is not whole, GitbackupError where fetching fails: a disk that
    is full is no damage.
    """
    quiet = ("--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-auto-gc")
    options = (*quiet, "--no-recurse-submodules", "--update-head-ok")
    # git knows no bundle by a file:// URL
    where = str(place.path.absolute()) if place.is_bundle and place.path else place.url
    result = attempt(git, place, *_ONE_PACK, "fetch", *options, "--", where, *refspecs)
    if result.status and place.path and place.is_bundle and not remote_url.is_whole(place.path):
        raise Damaged(
            f"the bundle {place} is not whole ({failure('fetch', result)}); if a cloud drive is"
            " at work on it, wait and try again"
        )
    if result.status:
        raise unreachable(place, "fetch", result)


def push(git: Commands, place: RemoteUrl, refspecs: list[str]) -> Result:
    """Pushes refs, none by force; what git says of each of them.

    Raises GitbackupError where the place cannot be reached, and no ref was pushed.
    """
    options = ("--porcelain", "--no-signed", "--no-follow-tags", "--no-verify")
    words = ("push", *options, "--recurse-submodules=no", "--", place.url, *refspecs)
    result = attempt(git, place, *words)
    if result.status and b"\t" not in result.out:
        raise unreachable(place, "push", result)
    return result


def attempt(git: Commands, place: RemoteUrl, *words: str) -> Result:
    """How `git <words>` ends, that may talk to a place; by the user's own settings.

    A bundle is a file to read, and no place to reach: no setting of the user's concerns it, nor
    of the repository's.
    Raises UsageError for a place that git would take for an option, NoRepository for a folder's
    repository that is another user's: its hooks would run as us.
    """
    remote_url.check(place)
    if place.is_bundle and place.path:
        return git.attempt(*words, environment=_A_FILE | _as_it_is(place.path.absolute()))
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


def _as_it_is(path: Path) -> dict[str, str]:
    """The environment in which git takes this path for no other place by `url.*.insteadOf`."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{path}.insteadOf",
        "GIT_CONFIG_VALUE_0": str(path),
    }


def _hooks(git: Commands) -> set[str]:
    """The hooks that the user's settings name, which git 2.54 and newer run: not here."""
    words = ("config", "--null", "--name-only", "--get-regexp", r"^hook\..*\.(command|event)$")
    names = text(git.attempt(*words, as_user=True).out).split("\0")[:-1]
    return {name.partition(".")[2].rpartition(".")[0] for name in names}


def _without(hooks: set[str]) -> dict[str, str]:
    """The environment in which git runs none of these hooks, whatever their names hold."""
    told = {"GIT_CONFIG_COUNT": str(len(hooks))}
    for number, name in enumerate(hooks):
        told[f"GIT_CONFIG_KEY_{number}"] = f"hook.{name}.enabled"
        told[f"GIT_CONFIG_VALUE_{number}"] = "false"
    return told


def unreachable(place: RemoteUrl, doing: str, result: Result) -> GitbackupError:
    """The error to raise where git could do nothing at a place, in its words."""
    said = remote_url.hidden(str(failure(doing, result)))
    policy = _POLICY if _FORBIDDEN.search(result.error) else ""
    return GitbackupError(f"{place} cannot be used: {said}{policy}")


def _bundle_heads(git: Commands, place: RemoteUrl) -> dict[str, str]:
    path = place.path
    if path is None or not path.parent.is_dir():
        raise UsageError(f"there is no folder for {place}; if it is on a disk, is that mounted?")
    if not path.exists():
        return {}
    if not path.is_file():
        raise UsageError(f"{place} is neither a file nor a folder")
    with file_errors("read the bundle"):
        begins = remote_url.is_bundle_file(
            path
        )  # git would read a line to its end, were it endless
    result = git.attempt("bundle", "list-heads", str(path.absolute())) if begins else None
    if result is None or result.status:
        raise Damaged(f"{place} is no bundle of git, or has lost its beginning")
    return listed(result.out, " ")


def listed(out: bytes, between: str) -> dict[str, str]:
    lines = (line.partition(between) for line in text(out).splitlines())
    return {name: ident for ident, _, name in lines if not name.endswith("^{}")}
