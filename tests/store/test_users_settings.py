"""Git's settings, each alone in the user's file and the repository's own: a history is the same.

Left out are those that the user means: a place that `url.*` or `remote.*` leads elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git, run_git, settle, work_tree

FIRST: dict[str, bytes | None] = {
    "gitbackup.json": b"{}\n",
    "db0/é ü.json": b"1\r\n",
    "db0/Key.json": b"2\n",
    "db0/key.json": b"3\n" * 9999,
}
SECOND: dict[str, bytes | None] = {"db0/Key.json": None, "db0/k.json": b"4\n", "db1/k.json": b"5\n"}
LAST = {"db0/k.json": b"6\n"}

HARMFUL = (  # of the first three git warns in the answer to anything
    *("core.fsyncObjectFiles=true", "core.fsync=nonsense", "core.fsyncMethod=nonsense"),
    "i18n.logOutputEncoding=utf-16",
)
COMMON = (
    *("fetch.fsckObjects=true", "fetch.prune=true", "fetch.fsck.skipList=/nonexistent"),
    *("fetch.unpackLimit=1000", "fetch.writeCommitGraph=true", "fetch.recurseSubmodules=true"),
    *("fetch.negotiationAlgorithm=noop", "fetch.parallel=4", "fetch.all=true"),
    *("push.default=nothing", "push.followTags=true", "push.gpgSign=if-asked"),
    *("push.recurseSubmodules=only", "push.negotiate=true", "push.useForceIfIncludes=true"),
    *("transfer.fsckObjects=true", "transfer.hideRefs=refs/notes", "transfer.unpackLimit=1"),
    *("gc.auto=0", "gc.auto=1", "gc.pruneExpire=now", "gc.reflogExpire=now", "gc.packRefs=false"),
    *("gc.bigPackThreshold=1", "gc.cruftPacks=true", "maintenance.auto=false"),
    *("maintenance.strategy=incremental", "fsck.badTimezone=error", "fsck.missingEmail=error"),
    *("safe.bareRepository=explicit", "remote.pushDefault=nowhere"),
    *("extensions.worktreeConfig=true", "core.sharedRepository=group", "core.fileMode=true"),
    *("core.symlinks=false", "core.quotePath=true", "core.precomposeUnicode=true"),
    *("core.protectNTFS=true", "core.protectHFS=true", "core.compression=0"),
    *("core.commitGraph=false", "core.multiPackIndex=false", "core.logAllRefUpdates=false"),
    *("core.abbrev=4", "core.bigFileThreshold=1", "core.packedGitLimit=1", "core.notesRef=refs/x"),
    *("core.checkStat=minimal", "core.untrackedCache=true", "core.sparseCheckout=true"),
    *("pack.compression=0", "pack.window=0", "pack.depth=0", "pack.packSizeLimit=1m"),
    *("pack.indexVersion=1", "pack.writeBitmaps=true", "repack.useDeltaBaseOffset=false"),
    *("repack.useDeltaIslands=true", "feature.experimental=true", "feature.manyFiles=true"),
    *("index.version=4", "index.threads=4", "index.sparse=true", "commitGraph.maxNewFilters=0"),
    *("commitGraph.readChangedPaths=false", "log.date=relative", "log.decorate=full"),
    *("log.showRoot=false", "log.abbrevCommit=true", "log.diffMerges=combined", "log.follow=true"),
    *("format.pretty=%H", "diff.renames=copies", "diff.noprefix=true", "diff.external=/bin/false"),
    *("diff.algorithm=patience", "diff.orderFile=/nonexistent", "diff.relative=true"),
    *("diff.ignoreSubmodules=all", "color.ui=always", "column.ui=always", "merge.ff=only"),
    *("pull.rebase=true", "commit.gpgSign=true", "commit.cleanup=scissors", "tag.gpgSign=true"),
    *("gpg.program=/bin/false", "user.useConfigOnly=true", "author.name=Other"),
    *("i18n.commitEncoding=latin1", "trailer.separators=="),
    *("clone.defaultRemoteName=other", "clone.rejectShallow=true", "init.defaultBranch=trunk"),
    *("init.templateDir=/nonexistent", "init.defaultObjectFormat=sha256"),
    *("init.defaultRefFormat=reftable", "protocol.version=0", "status.showUntrackedFiles=all"),
    *("alias.fast-import=!false", "submodule.recurse=true", "attr.tree=HEAD"),
)


AT_ONCE = 12  # of the common ones, to spare time


def written(setting: str) -> str:
    """A setting such as `diff.renames=copies` as a config file has it."""
    name, _, value = setting.partition("=")
    section, variable = name.rsplit(".", 1)
    heading = section.replace(".", ' "', 1) + '"' if "." in section else section
    return f'[{heading}]\n{variable} = "{value}"\n'


@pytest.mark.parametrize(
    "given",
    [
        *((one,) for one in HARMFUL),
        *(
            pytest.param(COMMON[at : at + AT_ONCE], marks=pytest.mark.long, id=f"from {COMMON[at]}")
            for at in range(0, len(COMMON), AT_ONCE)
        ),
    ],
)
def test_settings_change_no_history(
    given: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = "[user]\nname = A Person\nemail = person@example.org\n"
    settings = person + "".join(map(written, given))
    settle(monkeypatch, tmp_path / "home", settings)
    (tmp_path / "folder").mkdir()
    repository = Repository.create(tmp_path / "data")
    with (tmp_path / "data" / ".git" / "config").open("a") as config:
        config.write(settings)

    commit(repository, FIRST, "Grüße\n")
    commit(repository, SECOND)
    repository.push(repository.remote(str(tmp_path / "folder")))
    with repository.lock():
        repository.maintain()
        repository.gather()
    with Repository.clone(str(tmp_path / "folder"), tmp_path / "second") as (second, _):
        pass
    with (tmp_path / "second" / ".git" / "config").open("a") as config:
        config.write(settings)
    made = commit(repository, {"db0/k.json": b"6\n"})
    repository.push(repository.remote())
    with second.lock():
        second.pull(second.remote())

    for each in (repository, second):
        held = {path: each.read(blob) for path, blob in each.files(made).items()}
        assert held == work_tree(each) == {**_without(FIRST), **_without(SECOND), **LAST}
        assert each.head() == made
        assert [info.subject for info in each.log()] == ["a commit", "a commit", "Grüße"]
        assert each.problems() == []
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (repository.path, second.path):
        assert run_git(folder, "fsck", "--strict").returncode == 0
        assert git(folder, "status", "--porcelain") == ""


def _without(files: dict[str, bytes | None]) -> dict[str, bytes]:
    gone = {path for path, data in SECOND.items() if data is None}
    return {path: data for path, data in files.items() if data is not None and path not in gone}
