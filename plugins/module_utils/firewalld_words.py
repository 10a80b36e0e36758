# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the firewall as people and programs read it: a diff's two texts, and data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from .firewalld_door import KINDS, SHAPES, Settings
from .firewalld_items import delta, same, same_options, words

Objects = Mapping[str, Mapping[str, Optional[Settings]]]


@dataclass(frozen=True)
class Side:
    """One of the two configurations, "permanent" or "runtime", before and after."""

    name: str
    before: Objects
    after: Objects

    def pair(self, kind: str, name: str) -> tuple[Settings | None, Settings | None]:
        """An object before and after."""
        before = self.before.get(kind, {}).get(name)
        return before, self.after.get(kind, {}).get(name)


def difference(
    kind: str, before: Settings | None, after: Settings | None
) -> dict[str, dict[str, list[Any]]]:
    """By key what was added and removed; of single values, the new and the old one."""
    found: dict[str, dict[str, list[Any]]] = {}
    for key, empty in SHAPES[kind].items():
        old = empty if before is None else before[key]
        new = empty if after is None else after[key]
        if isinstance(empty, list):
            if not same(key, old, new):
                found[key] = delta(key, old, new)
        elif not (same_options(old, new) if key == "options" else old == new):
            found[key] = {"added": [new], "removed": [old]}
    return found


def as_changes(sides: Sequence[Side]) -> tuple[dict[str, Any], ...]:
    """What changes, one dict per object: kind, name, state, and by side the keys."""
    changes = []
    for kind, name in _objects(sides):
        parts: dict[str, Any] = {}
        for side in sides:
            before, after = side.pair(kind, name)
            if (before is None) != (after is None) or difference(kind, before, after):
                parts[side.name] = difference(kind, before, after)
        if parts:
            before, after = sides[0].pair(kind, name)
            state = "removed" if after is None else "created" if before is None else "changed"
            changes.append({"kind": kind, "name": name, "state": state, **parts})
    return tuple(changes)


def as_text(sides: Sequence[Side], before: bool) -> str:
    """The objects that change, as they are or will be, in the manner of YAML."""
    lines: list[str] = []
    changing = [(change["kind"], change["name"]) for change in as_changes(sides)]
    for kind, name in changing:
        lines.append(f"{kind} {name}:")
        for side in sides:
            settings = side.pair(kind, name)[0 if before else 1]
            lines.append(f"  {side.name}:{' none' if settings is None else ''}")
            lines += [] if settings is None else _lines(settings)
    return "".join(f"{line}\n" for line in lines)


def _lines(settings: Settings) -> list[str]:
    lines = []
    for key, value in settings.items():
        if isinstance(value, list):
            if value:
                lines.append(f"    {key}:")
                lines += [f"    - {word}" for word in words(key, value)]
        elif isinstance(value, dict):
            lines += [f"    {key}.{option}: {text}" for option, text in sorted(value.items())]
        elif value != "":
            lines.append(f"    {key}: {str(value).lower() if isinstance(value, bool) else value}")
    return lines


def _objects(sides: Sequence[Side]) -> list[tuple[str, str]]:
    return [
        (kind, name)
        for kind in KINDS
        for name in sorted({name for side in sides for name in side.before.get(kind, {})})
    ]
