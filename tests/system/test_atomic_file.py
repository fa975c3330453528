"""Files that are written where others write too: through nobody's link and into nobody's pipe."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitbackup.errors import GitbackupError
from gitbackup.system import atomic_file
from gitbackup.system.atomic_file import followed, new_file
from tests.cli.conftest import user  # noqa: F401  a fixture
from tests.cli.user import GITBACKUP, User, surroundings
from tests.strangers import STRANGER, by_root


def write(path: Path, data: bytes = b"new") -> None:
    with new_file(path) as file:
        file.write(data)


def strangers(path: Path) -> Path:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return path


def test_a_new_file_is_for_its_owner_only(shared: Path) -> None:
    write(shared / "out")
    assert (shared / "out").read_bytes() == b"new"
    assert stat.S_IMODE((shared / "out").stat().st_mode) == 0o600
    assert [file.name for file in shared.iterdir()] == ["out"]


def test_an_own_link_stays_and_what_it_leads_to_is_replaced(shared: Path, tmp_path: Path) -> None:
    """Over several links, through folders, and where nothing is there yet."""
    (tmp_path / "real").mkdir()
    (shared / "folder").symlink_to(tmp_path / "real")
    (shared / "one").symlink_to("two")
    (shared / "two").symlink_to("folder/../real/file")
    for data in (b"new", b"newer"):
        write(shared / "one", data)
        assert (tmp_path / "real" / "file").read_bytes() == data
    assert (shared / "one").readlink() == Path("two")


def test_a_file_is_written_where_none_can_be_opened_in_an_open_folder(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.setattr(atomic_file, "_CAN_OPEN_WITHIN", False)
    (shared / "link").symlink_to("out")
    for data in (b"new", b"newer"):
        write(shared / "link", data)
        assert (shared / "out").read_bytes() == data
    assert followed(shared / "link") == (shared / "out").resolve()
    assert sorted(file.name for file in shared.iterdir()) == ["link", "out"]
    with pytest.raises(GitbackupError, match="No such file"):
        write(shared / "none" / "out")


def test_links_in_a_circle_are_an_error(shared: Path) -> None:
    (shared / "a").symlink_to("b")
    (shared / "b").symlink_to("a")
    with pytest.raises(GitbackupError, match="Too many levels"):
        write(shared / "a")


def test_what_is_followed_is_what_the_system_follows(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "up").symlink_to("deep/er")
    (tmp_path / "abs").symlink_to(tmp_path / "up")
    for word in ("up/../x", "abs/x", "abs/../er/./x", "none/x", "deep/er/../../up/y"):
        assert followed(tmp_path / word) == Path(os.path.realpath(tmp_path / word))


@by_root
def test_another_user_s_link_in_a_shared_folder_is_not_followed(
    shared: Path, tmp_path: Path
) -> None:
    """To a file, to one that is not there yet, of a folder on the way, behind a link of ours."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (shared / "file").symlink_to(victim)
    (shared / "none").symlink_to(tmp_path / "none")
    (shared / "folder").symlink_to(tmp_path)
    for link in ("file", "none", "folder"):
        strangers(shared / link)
    (tmp_path / "ours").symlink_to(shared / "file")
    for path in (shared / "file", shared / "none", shared / "folder" / "new", tmp_path / "ours"):
        with pytest.raises(GitbackupError, match=r"is a link of user 12345, in a folder that"):
            write(path)
    assert victim.read_text() == "precious"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ours", "victim"]


@by_root
def test_a_pipe_of_another_user_in_a_shared_folder_is_not_written_to(
    shared: Path, tmp_path: Path
) -> None:
    """Nor waited for."""
    os.mkfifo(shared / "pipe")
    strangers(shared / "pipe")
    (tmp_path / "ours").symlink_to(shared / "pipe")
    for path in (shared / "pipe", tmp_path / "ours"):
        with pytest.raises(GitbackupError, match="is a pipe of user 12345"):
            write(path)


@by_root
def test_a_file_of_another_user_is_replaced_and_not_written_to(shared: Path) -> None:
    """Who holds it open reads nothing of ours."""
    file = shared / "out"
    file.write_text("theirs")
    file.chmod(0o666)
    with strangers(file).open() as held:
        write(file)
        assert held.read() == "theirs"
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (os.geteuid(), 0o600)


@by_root
def test_in_a_folder_that_only_one_user_writes_to_a_link_is_followed(tmp_path: Path) -> None:
    """It is that user's own, whom who names the folder trusts."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to("file")
    strangers(home / "link")
    write(strangers(home) / "link")
    assert (home / "file").read_bytes() == b"new"


def test_a_pipe_of_one_s_own_is_written_to(shared: Path) -> None:
    os.mkfifo(shared / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((shared / "pipe").read_bytes()))
    reader.start()
    write(shared / "pipe")
    reader.join()
    assert read == [b"new"]
    assert stat.S_ISFIFO((shared / "pipe").stat().st_mode)


WRITES = """
from pathlib import Path
from gitbackup.system.atomic_file import new_file
with new_file(Path("/dev/stdout")) as file:
    file.write(b"new")
"""


def test_standard_output_by_its_name(tmp_path: Path) -> None:
    """A pipe, and a file."""
    command = [sys.executable, "-c", WRITES]
    done = subprocess.run(command, env=surroundings({}), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"new", b"")
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(command, env=surroundings({}), stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"new"
    write(Path(os.devnull))
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


COMMANDS = [
    ("export", "HEAD", "-o", "{trap}"),
    ("export", "-o", "{trap}"),
    ("export", "HEAD", "--format", "resp", "-o", "{trap}"),
    ("log", "--html", "{trap}"),
    ("diff", "--html", "{trap}"),
    ("push", "{trap}.bundle"),
    ("push", "{trap}"),
    ("rdb", "save", "{trap}"),
    ("rdb", "save", "{trap}/inside"),
    ("export", "HEAD", "-o", "{trap}/inside"),
    ("diff", "HEAD", "--html", "{trap}/inside"),
    ("push", "{trap}/inside.bundle"),
    ("clone", "data-git-backup", "{trap}"),
    ("clone", "data-git-backup", "{trap}/inside"),
    ("init", "--repo", "{trap}"),
    ("init", "--bare", "--repo", "{trap}/inside"),
    ("commit", "--repo", "{trap}"),
]


@pytest.mark.few(1)
@by_root
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_falls_into_a_trap(
    user: User,  # noqa: F811  the fixture
    shared: Path,
    tmp_path: Path,
    kind: str,
    words: tuple[str, ...],
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir() if kind == "folder" else victim.write_text("precious")
    user.redis.set("a", 1)
    user.says("commit", "-m", "begin")
    for trap in (shared / "trap", shared / "trap.bundle"):
        os.mkfifo(trap) if kind == "pipe" else trap.symlink_to(victim)
        strangers(trap)
    told = [word.format(trap=shared / "trap") for word in words]
    done = subprocess.run(
        [*GITBACKUP, *told],
        env=surroundings({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    if words[0] != "push":  # a link there is replaced by root, as every file of others
        assert done.returncode in (1, 2, 10), done
    if kind == "folder":
        assert list(victim.iterdir()) == []
    else:
        assert victim.read_text() == "precious"


def test_a_folder_that_is_another_by_then_is_not_written_to(tmp_path: Path) -> None:
    """The folder that was looked at is, wherever it has gone: nobody can put a link there."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "out").write_text("precious")
    with new_file(folder / "out") as file:
        folder.rename(tmp_path / "gone")
        folder.symlink_to(elsewhere)
        file.write(b"new")
    assert [file.name for file in elsewhere.iterdir()] == ["out"]
    assert (elsewhere / "out").read_text() == "precious"
    assert (tmp_path / "gone" / "out").read_bytes() == b"new"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in (
        ("none/out", "No such file"),
        ("file/out", "Not a directory"),
        ("..", "directory"),
    ):
        with pytest.raises(GitbackupError, match=why):
            write(tmp_path / path)
