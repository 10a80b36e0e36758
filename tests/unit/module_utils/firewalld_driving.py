# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the firewall module's work against a firewalld in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_apply import Means
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_reload import (
    Note,
    Snapshot,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_run import bring_about
from tests.unit.module_utils.firewalld_fake import FakeDoor, FakeKeeping, Machine, State

SETS = ("interfaces", "sources")


class MemoryNote(Note):
    """The note of a run, in memory."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    def write(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def read(self) -> Snapshot | None:
        return self.snapshot

    def remove(self) -> None:
        self.snapshot = None


class Host:
    """A machine with the note that runs leave on it."""

    def __init__(self, machine: Machine | None = None) -> None:
        self.machine = machine or Machine()
        self.note = MemoryNote()

    def run(
        self,
        params: dict[str, Any],
        check: bool = False,
        door: FakeDoor | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """One run of the module; the guard is tested elsewhere."""
        means = Means(FakeKeeping(self.machine), self.note, Path("/nowhere"))
        return bring_about(
            door or FakeDoor(self.machine), {**params, "guard": False, **options}, check, means
        )

    def zone(self, name: str) -> dict[str, Any]:
        return self.machine.memory["zone"][name]


def meaning(state: State) -> dict[str, Any]:
    """A configuration without the spelling of its lists."""
    from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_items import words

    return {
        f"{kind} {name}": {
            key: words(key, value) if isinstance(value, list) else value
            for key, value in settings.items()
        }
        for kind, objects in state.items()
        for name, settings in objects.items()
    }
