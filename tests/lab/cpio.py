"""Write cpio archives in the "newc" format that the kernel unpacks as an initramfs.

Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. Several archives
may follow each other in one initramfs, which is how every host gets its own files on top of
shared ones.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import PurePosixPath

TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """One file of an archive; ``path`` is absolute in the target, ``mode`` the permission bits.

    A ``link`` is a symbolic link with its target as content.
    """

    path: str
    content: bytes = b""
    mode: int = 0o644
    link: bool = False


def archive(entries: list[Entry]) -> bytes:
    """Return a cpio archive with the entries and all their parent folders, owned by root."""
    folders: dict[str, None] = {}
    for entry in entries:
        for parent in reversed(PurePosixPath(entry.path.lstrip("/")).parents):
            if str(parent) != ".":
                folders[str(parent)] = None
    out = bytearray()
    inode = 1
    for folder in folders:
        out += _record(folder, b"", stat.S_IFDIR | _folder_mode(folder), inode)
        inode += 1
    for entry in entries:
        kind = stat.S_IFLNK if entry.link else stat.S_IFREG
        out += _record(entry.path.lstrip("/"), entry.content, kind | entry.mode, inode)
        inode += 1
    out += _record(TRAILER, b"", 0, 0)
    return bytes(_padded(out, 512))


def _folder_mode(folder: str) -> int:
    return 0o700 if folder.endswith(("/root", "/root/.ssh")) else 0o755


def _record(name: str, content: bytes, mode: int, inode: int) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return bytes(_padded(bytearray(header + encoded), 4) + _padded(bytearray(content), 4))


def _padded(data: bytearray, size: int) -> bytearray:
    return data + b"\0" * (-len(data) % size)
