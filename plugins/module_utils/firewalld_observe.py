# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from a firewalld what the wishes touch, and no more.

How much is asked depends on how many objects are wished for, never on how many ports, rules or
entries they have.
"""

from __future__ import annotations

from pathlib import Path

from .firewalld_difference import Objects, Observed
from .firewalld_door import KINDS, Door, Settings
from .firewalld_items import BINDINGS, canonical
from .firewalld_options import PLURALS, Desired, Wish
from .firewalld_references import uses
from .firewalld_steps import WHAT

# Where packages put what is built in; what lies here comes back when it is removed
SHIPPED = Path("/usr/lib/firewalld")


class DoorKnown:
    """What there is on the host, asked through a door, each question once."""

    def __init__(self, door: Door, shipped: Path = SHIPPED) -> None:
        self._door = door
        self._shipped = shipped
        self._names: dict[str, set[str]] = {}

    def names(self, kind: str) -> set[str]:
        """The names of all objects of a kind."""
        if kind not in self._names:
            self._names[kind] = set(self._door.names(kind, permanent=True))
        return self._names[kind]

    def icmp_types(self) -> set[str]:
        """The names of all ICMP types."""
        return set(self._door.icmp_types())

    def rich_rule(self, text: str) -> str:
        """A rich rule in firewalld's own form."""
        return self._door.normal_rich_rule(text)

    def shipped(self, kind: str, name: str) -> str | None:
        """The file that a package brought an object with."""
        file = self._shipped / PLURALS[kind] / f"{name}.xml"
        return str(file) if file.is_file() else None


def observe(door: Door, desired: Desired) -> Observed:
    """What the firewalld behind a door has, as far as the wishes touch it."""
    return _Observing(door, desired).observed()


class _Observing:
    """The steps of observe(), each object read once."""

    def __init__(self, door: Door, desired: Desired) -> None:
        self.door = door
        self.desired = desired
        self.permanent: Objects = {kind: {} for kind in KINDS}
        self.runtime: Objects = {kind: {} for kind in KINDS}

    def observed(self) -> Observed:
        zones = self.desired.of("zone")
        bindings = self.door.bindings() if zones else {}
        for wish in self.desired.wishes:
            self._object(wish.kind, wish.name)
        for wish in self.desired.of("zone", present=True):
            self._losers(wish, bindings)
        return Observed(
            live=self.door.live,
            default_zone=self.door.default_zone() if zones else "",
            permanent=self.permanent,
            runtime=self.runtime,
            bindings=bindings if self.door.live else {},
            live_names=self._live_names(),
            users=self._users(),
        )

    def _object(self, kind: str, name: str) -> None:
        if name not in self.permanent[kind]:
            self.permanent[kind][name] = self.door.permanent(kind, name)
            if self.door.live:
                self.runtime[kind][name] = self.door.runtime(kind, name)

    def _losers(self, wish: Wish, bindings: dict[str, dict[str, list[str]]]) -> None:
        """Read the zones that a zone takes interfaces or sources from."""
        owners = {
            (key, canonical(key, item)): (zone, item)
            for zone, bound in bindings.items()
            for key in BINDINGS
            for item in bound.get(key, ())
        }
        own = self.permanent["zone"][wish.name] or {}
        for key in BINDINGS:
            had = {canonical(key, item) for item in own.get(key, ())}
            for item in wish.given.get(key, ()):
                form = canonical(key, item)
                zone, shown = owners.get((key, form), (None, item))
                found = {zone} if zone else set()
                if form not in had:
                    found |= {
                        self.door.permanent_zone_of(WHAT[key], spelled) or wish.name
                        for spelled in sorted({item, shown})
                    }
                for loser in sorted(found - {wish.name}):
                    self._object("zone", loser)

    def _live_names(self) -> dict[str, frozenset[str]]:
        """The runtime's names, of the kinds that the wished zones and policies use."""
        if not self.door.live:
            return {}
        sides: list[Settings] = []
        for wish in self.desired.wishes:
            if wish.present and wish.kind in ("zone", "policy"):
                shown = self.permanent[wish.kind][wish.name], self.runtime[wish.kind][wish.name]
                sides += [wish.given, *(side for side in shown if side is not None)]
        return {
            kind: frozenset(self.door.names(kind, permanent=False))
            for kind in ("ipset", "service", "zone")
            if uses(sides, kind)
        }

    def _users(self) -> dict[str, dict[str, Settings]]:
        """All permanent zones and policies, when something goes away that they may name."""
        going = [
            wish
            for wish in self.desired.wishes
            if not wish.present
            and wish.kind != "policy"
            and self.permanent[wish.kind][wish.name] is not None
        ]
        found: dict[str, dict[str, Settings]] = {}
        for kind in ("zone", "policy") if going else ():
            for name in self.door.names(kind, permanent=True):
                known = self.permanent[kind]
                settings = known[name] if name in known else self.door.permanent(kind, name)
                if settings is not None:
                    found.setdefault(kind, {})[name] = settings
        return found
