# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls that bring a runtime from one state to another, in an order that is open throughout.

Pure. A zone or policy that is not in force yet gets its rules first and what it is for last, so
that it comes into force whole, in one transaction of firewalld's. A zone that loses an interface
keeps its rules until the interface is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from .firewalld_door import Settings
from .firewalld_goal import AT_RUNTIME, LISTS
from .firewalld_items import BINDINGS, POLICY_ZONES, PORTS, canonical, port_steps, same

WHAT = {"interfaces": "interface", "sources": "source"}
Bindings = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Put:
    """Set these keys of an object, each as a whole."""

    kind: str
    name: str
    settings: Settings


@dataclass(frozen=True)
class Move:
    """Bind an interface or source to a zone, from wherever it is."""

    what: str
    name: str
    zone: str


Step = Union[Put, Move]


@dataclass(frozen=True)
class Runtime:
    """What is in force, or shall be: by kind and name the settings."""

    objects: Mapping[str, Mapping[str, Settings]] = field(default_factory=dict)

    def of(self, kind: str) -> Mapping[str, Settings]:
        """The objects of a kind."""
        return self.objects.get(kind, {})


def steps(now: Runtime, target: Runtime, bindings: Bindings) -> list[Step]:
    """The calls from one to the other; only objects that are in both are touched.

    :param bindings: what is bound to which zone now, of all zones.
    """
    zones = {
        name: settings for name, settings in target.of("zone").items() if name in now.of("zone")
    }
    binding = _Binding(now.of("zone"), zones, bindings)
    gaining = [name for name in sorted(zones) if binding.gains(name)]
    others = [name for name in sorted(zones) if name not in gaining]
    return [
        *_of("ipset", now, target),
        *_rules_of(gaining, now.of("zone"), zones),
        *binding.steps(),
        *_rules_of(others, now.of("zone"), zones),
        *_of_policies(now.of("policy"), target.of("policy")),
    ]


def _of(kind: str, now: Runtime, target: Runtime) -> Iterable[Step]:
    for name, settings in sorted(target.of(kind).items()):
        if name in now.of(kind):
            yield from puts(kind, name, now.of(kind)[name], settings, AT_RUNTIME[kind])


def _rules_of(
    names: Iterable[str], now: Mapping[str, Settings], target: Mapping[str, Settings]
) -> Iterable[Step]:
    keys = [key for key in AT_RUNTIME["zone"] if key not in BINDINGS]
    for name in names:
        yield from puts("zone", name, now[name], target[name], keys)


def _of_policies(now: Mapping[str, Settings], target: Mapping[str, Settings]) -> Iterable[Step]:
    rules = tuple(key for key in AT_RUNTIME["policy"] if key not in POLICY_ZONES)
    for name, settings in sorted(target.items()):
        if name not in now:
            continue
        parts = [rules, POLICY_ZONES]
        if not all(settings[key] for key in POLICY_ZONES):
            parts.reverse()
        elif all(now[name][key] for key in POLICY_ZONES):
            parts = [AT_RUNTIME["policy"]]
        for keys in parts:
            yield from puts("policy", name, now[name], settings, keys)


def puts(kind: str, name: str, now: Settings, target: Settings, keys: Iterable[str]) -> list[Put]:
    """The calls, none to two, that set these keys."""
    first: Settings = {}
    last: Settings = {}
    for key in keys:
        if not _differs(kind, key, now[key], target[key]):
            continue
        lists = port_steps(now[key], target[key]) if key in PORTS else [target[key]]
        last[key] = lists[-1]
        if len(lists) > 1:
            first[key] = lists[0]
    return [Put(kind, name, settings) for settings in (first, last) if settings]


def _differs(kind: str, key: str, now: Any, target: Any) -> bool:
    if key in LISTS[kind]:
        return not same(key, now, target)
    return bool(now != target)


class _Binding:
    """Interfaces and sources: where they are and where they go."""

    def __init__(
        self, now: Mapping[str, Settings], target: Mapping[str, Settings], bindings: Bindings
    ) -> None:
        every = {**bindings, **now}
        self.where = {
            (key, canonical(key, item)): (zone, item)
            for zone, bound in every.items()
            for key in BINDINGS
            for item in bound.get(key, ())
        }
        self.target = target
        self.now = now

    def gains(self, zone: str) -> bool:
        """Whether a zone gets an interface or source that it has not."""
        return any(
            self.where.get((key, canonical(key, item)), ("", ""))[0] != zone
            for key in BINDINGS
            for item in self.target[zone][key]
        )

    def steps(self) -> Iterable[Step]:
        """Moves first: firewalld binds nothing that another zone has."""
        here: dict[str, dict[str, list[str]]] = {
            zone: {key: list(self.now[zone][key]) for key in BINDINGS} for zone in self.target
        }
        for zone in sorted(self.target):
            for key in BINDINGS:
                for form in sorted(canonical(key, item) for item in self.target[zone][key]):
                    owner, item = self.where.get((key, form), (zone, ""))
                    if owner != zone:
                        yield Move(WHAT[key], item, zone)
                        here[zone][key].append(item)
                        if owner in here:
                            here[owner][key].remove(item)
        for zone in sorted(self.target):
            change = {
                key: self._spelled(key, self.target[zone][key])
                for key in BINDINGS
                if not same(key, here[zone][key], self.target[zone][key])
            }
            if change:
                yield Put("zone", zone, change)

    def _spelled(self, key: str, items: Sequence[str]) -> list[str]:
        """The items in the spelling that they are bound with, where they are."""
        forms = [canonical(key, item) for item in items]
        return [
            self.where[key, form][1] if (key, form) in self.where else item
            for form, item in zip(forms, items)
        ]
