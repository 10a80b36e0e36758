# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold on a host before one of its daemons is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .commands import Completed, Runner
from .daemon_files import FILE, Places, Shape, make_tree
from .daemon_systemd import Status
from .daemon_unit import is_ours
from .daemon_wish import Wish, in_folder
from .errors import HostError

_CHECK_SECONDS = 60


def foreign_unit(places: Places, name: str, now: Shape, status: Status) -> Iterator[str]:
    """Why a unit of this name is not ours to change."""
    own = places.unit(name)
    if now.unit is not None and not (now.unit.kind == FILE and is_ours(now.unit.text)):
        yield (
            f"{name}: {own} was not written by us; move it away, or give the daemon another name"
        )
    elif status.file and Path(status.file) != own and places.path(status.file).exists():
        yield (
            f"{name}: systemd knows a unit of this name from {status.file}; remove it, or give the "
            "daemon another name"
        )


def missing(places: Places, wish: Wish) -> Iterator[str]:
    """What a daemon needs and the host does not have."""
    if not _has_program(places, wish):
        yield f"{wish.name}: the program {wish.program} is not there; {_remedy(wish)}"
    for path in wish.needs:
        if not places.path(path).exists():
            yield f"{wish.name}: {path} is not there, and the daemon needs it"


def refusals(places: Places, wish: Wish, planned: Shape, runner: Runner) -> Iterator[str]:
    """What the daemon's own checks say against its new files, read in a scratch folder."""
    if not wish.check or not _has_program(places, wish):
        return
    places.runtime.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="underlay-daemon-", dir=places.runtime))
    try:
        folder = scratch / wish.name
        make_tree(folder, planned.tree)
        for command in wish.check:
            words = _refusal(wish, in_folder(command, str(folder)), runner)
            if words:
                final = str(places.folder(wish.name))
                yield f"{wish.name}: {words.replace(str(folder), final)}"
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _refusal(wish: Wish, argv: Sequence[str], runner: Runner) -> str:
    command = " ".join(argv)
    try:
        done: Completed = runner(argv, _CHECK_SECONDS)
    except HostError:
        return f"the program '{argv[0]}', which checks the files, is not there; {_remedy(wish)}"
    except subprocess.TimeoutExpired:
        return f"the check '{command}' did not end within {_CHECK_SECONDS} s"
    if done.code == 0:
        return ""
    said = "\n".join(text.strip() for text in (done.out, done.err) if text.strip())
    return f"the check '{command}' refuses the files: {said or done.words}"


def _has_program(places: Places, wish: Wish) -> bool:
    path = places.path(wish.program)
    return path.is_file() and os.access(path, os.X_OK)


def _remedy(wish: Wish) -> str:
    return f"install the package {wish.package}" if wish.package else "install it"
