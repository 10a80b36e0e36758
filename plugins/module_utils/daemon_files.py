# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon's files on the disk: read them, make them what they should be, remember what was."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .durable import make_folder, remove_file, sync_folder, unfinished, write_file

FILE = "file"
FOLDER = "folder"
OTHER = "other"
# The name of a tree's own folder among what lies in it.
TOP = "."
_UNIT_MODE = 0o644


@dataclass(frozen=True)
class Places:
    """Where things lie on a host; ``root`` is another folder in tests."""

    root: Path = Path("/")

    def folder(self, name: str) -> Path:
        """The configuration files of a daemon."""
        return self.root / "etc/underlay" / name

    def unit(self, name: str) -> Path:
        """The systemd unit of a daemon."""
        return self.root / "etc/systemd/system" / f"{name}.service"

    def link(self, name: str) -> Path:
        """What makes systemd start a daemon at boot."""
        return self.root / "etc/systemd/system/multi-user.target.wants" / f"{name}.service"

    def journal(self, name: str) -> Path:
        """How a daemon stood before a run that is under way, or died."""
        return self.root / "var/lib/underlay/daemons" / f"{name}.json"

    @property
    def runtime(self) -> Path:
        """For what may go when the host starts anew."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """Held while daemons change."""
        return self.runtime / "underlay/daemons.lock"

    def path(self, absolute: str) -> Path:
        """A path of the host."""
        return self.root / absolute.lstrip("/")


@dataclass(frozen=True)
class Entry:
    """A file, a folder, or something else (a link, a socket), of which only the kind is known."""

    kind: str
    mode: int = 0
    text: str = ""


@dataclass(frozen=True)
class Shape:
    """How a daemon stands, or should stand: all that a run changes. By default it is not there.

    ``tree`` is its folder with all that lies in it, by path below the folder.
    """

    tree: Mapping[str, Entry] = field(default_factory=dict)
    unit: Entry | None = None
    enabled: bool = False
    running: bool = False


def planned_tree(files: Mapping[str, str], readable: bool) -> dict[str, Entry]:
    """The tree of a folder that holds these files.

    :param readable: for everybody, not for root alone.
    """
    folder = Entry(FOLDER, 0o755 if readable else 0o700)
    tree = {TOP: folder}
    for name, text in files.items():
        parents = name.split("/")[:-1]
        tree.update({"/".join(parents[: at + 1]): folder for at in range(len(parents))})
        tree[name] = Entry(FILE, 0o644 if readable else 0o600, text)
    return tree


def planned_unit(text: str) -> Entry:
    """A unit as it should lie on the disk."""
    return Entry(FILE, _UNIT_MODE, text)


# --- reading --------------------------------------------------------------------------------------


def read_entry(path: Path) -> Entry | None:
    """What lies at a path; None for nothing. Links are not followed."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Entry(FOLDER, mode)
    if stat.S_ISREG(status.st_mode):
        return Entry(FILE, mode, path.read_bytes().decode("utf-8", "surrogateescape"))
    return Entry(OTHER)


def read_tree(folder: Path) -> dict[str, Entry]:
    """A folder with all that lies in it."""
    top = read_entry(folder)
    if top is None:
        return {}
    tree = {TOP: top}
    for path in sorted(folder.rglob("*")) if top.kind == FOLDER else ():
        entry = read_entry(path)
        if entry is not None:
            tree[str(path.relative_to(folder))] = entry
    return tree


def has_loose_link(places: Places, name: str) -> bool:
    """Whether a daemon without a unit is still to be started at boot."""
    return places.link(name).is_symlink() and read_entry(places.unit(name)) is None


# --- writing --------------------------------------------------------------------------------------


def make_tree(folder: Path, wanted: Mapping[str, Entry]) -> None:
    """Make a folder hold exactly this, durable on return; things of another kind are not made.

    What is new comes first, then what changes, then strays go: when the power goes in between, no
    file names another that is not there yet.
    """
    present = read_tree(folder)
    for name, entry in present.items():
        if name in wanted and wanted[name].kind != entry.kind:
            _remove(folder / name)
    if wanted:
        _make_parent(folder.parent, wanted[TOP].mode)
    for name in sorted(name for name, entry in wanted.items() if entry.kind == FOLDER):
        _make_folder(folder / name, wanted[name].mode)
    files = {name: entry for name, entry in wanted.items() if entry.kind == FILE}
    for name in sorted(files, key=lambda name: (name in present, name)):
        if read_entry(folder / name) != files[name]:
            write_file(folder / name, files[name].text, files[name].mode)
    for name in sorted(set(present) - set(wanted), reverse=True):
        _remove(folder / name)


def _make_parent(folder: Path, mode: int) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        sync_folder(folder.parent)
    now = stat.S_IMODE(folder.stat().st_mode)
    # a folder that everybody may read is of no use below one that is closed
    if mode & 0o005 and not now & 0o001:
        folder.chmod(now | 0o055)


def _make_folder(folder: Path, mode: int) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
    if stat.S_IMODE(folder.stat().st_mode) != mode:
        folder.chmod(mode)
    sync_folder(folder.parent)


def _remove(path: Path) -> None:
    entry = read_entry(path)
    if entry is None:
        return
    if entry.kind == FOLDER:
        shutil.rmtree(path)
    else:
        path.unlink()
    sync_folder(path.parent)


def write_unit(places: Places, name: str, unit: Entry) -> None:
    """Make a daemon's unit this one."""
    path = places.unit(name)
    if read_entry(path) != unit:
        write_file(path, unit.text, unit.mode)
    unfinished(path).unlink(missing_ok=True)


def remove_unit(places: Places, name: str) -> None:
    """Remove a daemon's unit, and the link to it that stays when it was deleted by hand."""
    if places.link(name).is_symlink():
        remove_file(places.link(name))
    unfinished(places.unit(name)).unlink(missing_ok=True)
    remove_file(places.unit(name))


# --- remembering ----------------------------------------------------------------------------------


def remember(places: Places, name: str, shape: Shape) -> None:
    """Keep how a daemon stands until ``forget``; what a dead run has kept is the older truth."""
    path = places.journal(name)
    if recall(places, name) is None:
        make_folder(path.parent)
        write_file(path, json.dumps(_as_json(shape)))


def forget(places: Places, name: str) -> None:
    """Forget how a daemon stood, if that was kept."""
    if places.journal(name).exists():
        remove_file(places.journal(name))


def is_remembered(places: Places, name: str) -> bool:
    """Whether a run began to change this daemon and did not come to its end."""
    return places.journal(name).exists()


def recall(places: Places, name: str) -> Shape | None:
    """How a daemon stood before a run that did not come to its end; a damaged record is none."""
    try:
        return _from_json(json.loads(places.journal(name).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _as_json(shape: Shape) -> dict[str, object]:
    return {
        "tree": {name: vars(entry) for name, entry in shape.tree.items()},
        "unit": vars(shape.unit) if shape.unit else None,
        "enabled": shape.enabled,
        "running": shape.running,
    }


def _from_json(data: Mapping[str, object]) -> Shape:
    tree, unit = data["tree"], data["unit"]
    if not isinstance(tree, dict):
        raise TypeError(tree)
    return Shape(
        {name: Entry(**entry) for name, entry in tree.items()},
        Entry(**unit) if isinstance(unit, dict) else None,
        bool(data["enabled"]),
        bool(data["running"]),
    )
