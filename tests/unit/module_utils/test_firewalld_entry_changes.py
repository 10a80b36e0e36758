# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set that is in use is not emptied for a few changes: one more host is one more entry."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_bus import (
    FEW_ENTRIES,
    BusDoor,
)


class Recorder:
    """Stands for the calls of a door: a set that is there, and what is asked of it."""

    def __init__(self, entries: list[str]) -> None:
        self.entries = entries
        self.changes: list[tuple[str, Any]] = []

    def call(self, _path: str, _interface: str, method: str, _types: str, *args: Any) -> Any:
        if method == "getEntries":
            return self.entries
        self.changes.append((method, args[1]))
        return None


MANY = [f"10.0.{at}.0/24" for at in range(FEW_ENTRIES + 1)]


@pytest.mark.parametrize(
    ("now", "wanted", "changes"),
    [
        (["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], [("addEntry", "10.0.0.2")]),
        (["10.0.0.1", "10.0.0.2"], ["10.0.0.1"], [("removeEntry", "10.0.0.2")]),
        # firewalld takes no entry that overlaps with one that is still there
        (["10.0.0.1"], ["10.0.0.0/24"], [("setEntries", ["10.0.0.0/24"])]),
        ([], MANY, [("setEntries", MANY)]),
    ],
)
def test_only_many_or_overlapping_changes_set_the_whole(
    now: list[str], wanted: list[str], changes: list[tuple[str, Any]]
) -> None:
    door = BusDoor.__new__(BusDoor)
    recorder = Recorder(now)
    vars(door)["_calls"] = recorder
    door.set_runtime("ipset", "cluster", {"entries": wanted})
    assert recorder.changes == changes
