# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock-out guard: read what a way in would meet after a change, and say what closes it.

Only what the way can meet is read: bindings, the zone that it falls into, that zone's services,
ipsets that are sources, and the policies.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol

from .firewalld_door import Door
from .firewalld_guard import Answer, Rules, WayIn, accepts, trail, zones_of
from .firewalld_rich_rule import rich_rules_of
from .ssh_connection import ssh_connection

Settings = dict[str, Any]
Objects = Mapping[str, Optional[Settings]]
Connection = Callable[[], Optional[WayIn]]


class After(Protocol):
    """Managed objects as they will be at runtime (offline: on disk); None is one that goes."""

    @property
    def after_zones(self) -> Objects:
        """Zones by name."""

    @property
    def after_policies(self) -> Objects:
        """Policies by name."""

    @property
    def after_ipsets(self) -> Objects:
        """ipsets by name."""

    @property
    def after_services(self) -> Objects:
        """Services by name."""


@dataclass(frozen=True)
class _Nothing:
    """A change that changes nothing."""

    after_zones: Objects = field(default_factory=dict)
    after_policies: Objects = field(default_factory=dict)
    after_ipsets: Objects = field(default_factory=dict)
    after_services: Objects = field(default_factory=dict)


def interface_names() -> list[str]:
    """The interfaces of this host, in this network namespace."""
    return [name for _number, name in socket.if_nameindex()]


def hold(
    door: Door,
    work: After,
    ways: Sequence[WayIn],
    connection: Connection = ssh_connection,
    interfaces: Callable[[], Iterable[str]] = interface_names,
) -> list[str]:
    """What stands against a change, a sentence each; empty when nobody is locked out.

    :param ways: the ways that the user says stay open: each must be open after the change, and then
        the current connection may close. Without any, the current SSH connection must stay open.
    :raises FirewalldError: firewalld does not answer.
    """
    if ways:
        there = set(interfaces())
        told = (_named(door, work, number, way, there) for number, way in enumerate(ways))
        return [problem for problem in told if problem]
    way = connection()
    problem = _current(door, work, way) if way else None
    return [problem] if problem else []


def rules_after(door: Door, work: After, way: WayIn) -> Rules:
    """What ``way`` meets after a change: the change over what firewalld has now."""
    reading = _Reading(door, work)
    zones = reading.bound_zones()
    sources = {source for zone in zones.values() for source in zone.get("sources", ())}
    sets = {source[len("ipset:") :] for source in sources if source.startswith("ipset:")}
    rules = Rules(door.default_zone(), zones, reading.policies(), reading.all_of("ipset", sets))
    for name in zones_of(rules, way):
        zones[name] = reading.zone(name, zones.get(name, {}))
    acting = [*rules.policies.values(), *(zones[name] for name in zones_of(rules, way))]
    named = [rule for settings in acting for rule in rich_rules_of(settings)]
    sets |= {end.ipset for rule in named for end in (rule.source, rule.destination)
             if end and end.ipset}  # fmt: skip
    services = {name for settings in acting for name in settings.get("services", ())}
    services |= {rule.attributes.get("name", "") for rule in named if rule.element == "service"}
    return Rules(
        rules.default_zone,
        zones,
        rules.policies,
        reading.all_of("ipset", sets),
        reading.services(services),
    )


class _Reading:
    """Objects as they will be: from the change, else from firewalld, each read once."""

    def __init__(self, door: Door, work: After) -> None:
        self.door = door
        self.known: dict[str, dict[str, Settings | None]] = {
            "zone": dict(work.after_zones),
            "policy": dict(work.after_policies),
            "ipset": dict(work.after_ipsets),
            "service": dict(work.after_services),
        }

    def one(self, kind: str, name: str) -> Settings | None:
        """One object; None when there is or will be none."""
        known = self.known[kind]
        if name not in known:
            read = self.door.runtime if self.door.live else self.door.permanent
            known[name] = read(kind, name)
        return known[name]

    def all_of(self, kind: str, names: Iterable[str]) -> dict[str, Settings]:
        """Those of these objects that there are."""
        found = ((name, self.one(kind, name)) for name in sorted(names) if name)
        return {name: settings for name, settings in found if settings is not None}

    def bound_zones(self) -> dict[str, Settings]:
        """All zones that anything is bound to: the managed ones whole, of others the bindings."""
        managed = {name: zone for name, zone in self.known["zone"].items() if zone is not None}
        taken = {
            key: {item for zone in managed.values() for item in zone.get(key, ())}
            for key in ("interfaces", "sources")
        }
        others = {
            name: {
                # what a managed zone gets, another one loses
                key: [item for item in bound.get(key, ()) if item not in taken[key]]
                for key in taken
            }
            for name, bound in self.door.bindings().items()
            if name not in self.known["zone"]
        }
        return {**others, **managed}

    def zone(self, name: str, bound: Settings) -> Settings:
        """A zone whole, with the bindings that it will have."""
        settings = self.one("zone", name) or {}
        keys = ("interfaces", "sources")
        return {**settings, **{key: bound.get(key, ()) for key in keys}}

    def policies(self) -> dict[str, Settings]:
        """All policies; there are few."""
        names = self.door.names("policy", permanent=not self.door.live)
        return self.all_of("policy", {*names, *self.known["policy"]})

    def services(self, names: Iterable[str]) -> dict[str, Settings]:
        """Services, and those that they include."""
        found: dict[str, Settings] = {}
        asked = set(names)
        while asked - found.keys():
            new = self.all_of("service", asked - found.keys())
            found.update(new)
            asked = {name for service in new.values() for name in service.get("includes", ())}
        return found


def _named(door: Door, work: After, number: int, way: WayIn, there: Iterable[str]) -> str | None:
    """What is wrong with a way that the user named."""
    if way.interface not in there:
        known = ", ".join(sorted(there)) or "none"
        return (
            f"way_in[{number}].interface: {way.interface}: this host has no such interface. "
            f"Give one of: {known}."
        )
    answer = accepts(rules_after(door, work, way), way)
    if answer.open:
        return None
    return (
        f"way_in[{number}]: {way}: {_met(door, answer)}. Name a way that is open after the change, "
        "or open this one in the same change."
    )


def _current(door: Door, work: After, way: WayIn) -> str | None:
    """What would happen to the connection that this module was started over."""
    after = rules_after(door, work, way)
    answer = accepts(after, way)
    if answer.open:
        return None
    # Closed or doubtful before already, by the very same rules: this change is not what closes it.
    if door.live and trail(rules_after(door, _Nothing(), way), way) == trail(after, way):
        return None
    port = f"{way.port}/{way.protocol}"
    return (
        f"The current SSH connection, {way}: {_met(door, answer)}. Let zone {answer.zone} accept "
        f"{port}, bind {way.interface} or {way.source} to a zone that does, or name in 'way_in' "
        "another way that stays open."
    )


def _met(door: Door, answer: Answer) -> str:
    when = "after the change" if door.live else "once firewalld starts with this"
    doubt = "" if answer.decided else " (nobody can tell for sure; the safe side was taken)"
    return f"{when} it falls into zone {answer.zone}, and {answer.why}{doubt}"
