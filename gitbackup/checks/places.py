"""Where a history was pushed to: elsewhere, or where it would be lost with this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitbackup.model.commits import Pushed
from gitbackup.store.transports import remote_url
from gitbackup.system import mounts

SAME_DISK = "on the same disk as the repository"
MEMORY = "in memory, which is empty after a restart"
HERE = "on this machine"
IN_MEMORY = ("tmpfs", "ramfs")
SYNCED = (
    *("Dropbox", "OneDrive", "Google Drive", "GoogleDrive", "iCloud Drive", "Mobile Documents"),
    *("Nextcloud", "ownCloud", "Seafile", "Syncthing", "MEGA", "MEGAsync", "pCloud Drive"),
    *("Nutstore", "坚果云", "Proton Drive", "Yandex.Disk"),
)
"""The names of folders that programs copy to other machines."""

_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@]*@)?(\[[^\]]*\]|[^/:]*)", re.IGNORECASE)
_SCP = re.compile(r"(?:[^/@:]*@)?(\[[^\]]*\]|[^/:]+):")


def near(repository: Path, remotes: Iterable[Pushed]) -> Mapping[str, str]:
    """Return where those remotes are that would be lost with the repository, by their names."""
    found = {remote.remote: _where(repository, remote.place) for remote in remotes}
    return {name: where for name, where in found.items() if where}


def synced(place: str) -> str:
    """Return the name of the program that copies a folder to other machines; empty for none."""
    path = remote_url.at(place).path
    for part in path.absolute().parts if path else ():
        for name in SYNCED:
            if re.fullmatch(rf"{re.escape(name)}(?: ?[-(].*)?", part):
                return name
    return ""


def synced_folder() -> str:
    """Return how a shell names such a folder in the user's home; empty if there is none."""
    try:
        home = Path.home()
        return next(
            (f"~/{name}" for name in SYNCED if " " not in name and (home / name).is_dir()), ""
        )
    except (OSError, RuntimeError):
        return ""


def _where(repository: Path, place: str) -> str:
    """Return where a remote is; empty if it is not lost with the repository, as far as is known."""
    url = remote_url.at(place)
    if url.path is None:
        host = _HOST.match(url.url) or _SCP.match(url.url)
        return HERE if host and mounts.is_here(host[1]) else ""
    if synced(place):
        return ""
    try:
        mount = mounts.mount_at(url.path) if url.path.exists() else None
        if mount and mount.type in IN_MEMORY:
            return MEMORY
        if mount and (server := mounts.server_of(mount)):
            return HERE if mounts.is_here(server) else ""
        return SAME_DISK if mounts.on_one_disk(repository, url.path) else ""
    except OSError:  # such as a disk that is unplugged
        return ""
