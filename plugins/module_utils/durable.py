# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files so that a power cut leaves the old content or the new one, never a part."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import HostError

_LOCK_POLL_SECONDS = 0.1


def make_folder(folder: Path) -> None:
    """Make a folder that only root may enter, with its parents."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries (new, renamed, removed names) to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unfinished(path: Path) -> Path:
    """Where a file's new content stands until it is whole; a dead run may leave it."""
    # a leading dot and no .yaml at the end: no reader of the folder takes it for a configuration
    return path.with_name(f".{path.name}.new")


def write_file(path: Path, content: str, mode: int = 0o600) -> None:
    """Replace a file's content in one step: temporary file, fsync, rename, fsync.

    :param content: what was read with ``surrogateescape`` is written as the bytes that it was.
    :param mode: the file's permissions, whatever they were before.
    """
    temporary = unfinished(path)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content.encode(errors="surrogateescape"))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file that may be gone already; durable on return."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def replace_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Make a folder hold exactly these files; it is never seen with only some of them."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    make_folder(fresh)
    for name, content in files.items():
        write_file(fresh / name, content)
    sync_folder(fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    sync_folder(folder.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder that may be gone already; durable on return."""
    if not folder.exists():
        return
    # renamed first: a crash in the middle leaves no half-empty folder under the true name
    doomed = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    sync_folder(folder.parent)
    shutil.rmtree(doomed, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path, timeout: float = 60) -> Iterator[None]:
    """Hold a lock file while the body runs; the kernel frees it when the process dies.

    :param timeout: seconds to wait for another holder.
    :raises HostError: another run still holds the lock.
    """
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(handle, path, time.monotonic() + timeout)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path, deadline: float) -> None:
    while not _try_lock(handle):
        if time.monotonic() > deadline:
            raise HostError(
                f"Another run is changing this host's network (it holds {path}); "
                "wait for it to end and run again."
            )
        time.sleep(_LOCK_POLL_SECONDS)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
