# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie in this checkout. Standard library only."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
VENV = ROOT / ".venv"
COLLECTION = ROOT / ".collections" / "ansible_collections" / "underlay" / "cluster"


def link_collection() -> Path:
    """Show the checkout as `ansible_collections/underlay/cluster`; returns that path.

    The link is relative, so that a checkout can be moved. Two processes may do this at once
    (pytest's workers): whoever comes second finds the link made.
    """
    COLLECTION.parent.mkdir(parents=True, exist_ok=True)
    if not COLLECTION.is_symlink():
        try:
            COLLECTION.symlink_to("../../..", target_is_directory=True)
        except FileExistsError:
            if not COLLECTION.is_symlink():
                raise
    return COLLECTION


def venv_program(name: str) -> str:
    """The path of a program in the checkout's virtual environment."""
    return str(VENV / "bin" / name)
