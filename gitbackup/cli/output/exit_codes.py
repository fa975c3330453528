"""What each exit code means: `gitbackup help exit-codes` prints it."""

from __future__ import annotations

from collections.abc import Iterable

EXIT_CODES = {
    0: "done, or nothing to do",
    1: "failed; or you answered no; or diff --exit-code found changes; or verify or check"
    " found a problem",
    2: "wrong usage: a wrong option or URL, an unknown commit, a file that cannot be imported",
    3: "partly done; each key that was not done is named",
    4: "alarm: the commit was made, but it removed most of the keys",
    10: "no data repository, or not a gitbackup one",
    11: "another run is using the data repository, or has changed it",
    12: "the server cannot be reached, or refused the login or a command",
    13: "the data repository or an RDB file is damaged, or the repository has a newer format",
    130: "interrupted",
}
"""Each code that a command can end with."""


def of_command(failed: str, more: Iterable[int] = ()) -> str:
    """Return the end of a command's help: its codes 0 and 1, and where all are described.

    `failed` is what a 1 means for that command, and `more` are other codes that it often has.
    """
    codes = {0: EXIT_CODES[0], 1: failed} | {code: EXIT_CODES[code] for code in more}
    rows = "\n".join(f"  {code}  {meaning}" for code, meaning in codes.items())
    return f"Exit codes (all of them: gitbackup help exit-codes):\n{rows}"
