# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects name which others: services, zones, ipsets and ICMP types that must exist.

Pure. firewalld refuses what is missing only when it comes to it, with half of a change written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .firewalld_items import POLICY_ZONES
from .firewalld_values import SOURCE_IPSET_TYPES

if TYPE_CHECKING:
    from .firewalld_options import Known, Wish

Settings = dict[str, Any]

# What stands for no zone in particular in a policy
SYMBOLIC = ("ANY", "HOST")
_IPSET = "ipset:"
_IN_RULE = {
    "service": re.compile(r'\bservice name="([^"]*)"'),
    "ipset": re.compile(r'\bipset="([^"]*)"'),
    "icmptype": re.compile(r'\bicmp-(?:type|block) name="([^"]*)"'),
}
_NOUNS = {
    "service": "service",
    "zone": "zone",
    "ipset": "ipset",
    "icmptype": "ICMP type",
}


def named(settings: Mapping[str, Any]) -> Iterator[tuple[str, int, str, str]]:
    """Every other object that a zone or policy names; None among the items is passed over.

    :return: key and index of the item, kind and name of what it names ("icmptype" is a kind here).
    """
    for key, kind in (("services", "service"), ("icmp_blocks", "icmptype")):
        for index, name in enumerate(settings.get(key, ())):
            yield key, index, kind, name
    for key in POLICY_ZONES:
        for index, name in enumerate(settings.get(key, ())):
            if name not in SYMBOLIC:
                yield key, index, "zone", name
    for index, source in enumerate(settings.get("sources", ())):
        if source is not None and source.startswith(_IPSET):
            yield "sources", index, "ipset", source[len(_IPSET) :]
    for index, rule in enumerate(settings.get("rich_rules", ())):
        if rule is None:
            continue
        for kind, pattern in _IN_RULE.items():
            for name in pattern.findall(rule):
                yield "rich_rules", index, kind, name


def uses(settings: Iterable[Mapping[str, Any]], kind: str) -> set[str]:
    """The names of all objects of a kind that zones and policies name."""
    return {name for one in settings for key, index, what, name in named(one) if what == kind}


def missing(wishes: Sequence[Wish], known: Known) -> list[str]:
    """What is named and neither on the host nor in this call, or unfit for its use."""
    there = _There(wishes, known)
    problems = [
        f"{wish.path}.{key}[{index}]: '{wish.given[key][index]}': there is no {_NOUNS[kind]} "
        f"'{name}', neither on this host nor in this call"
        for wish in wishes
        for key, index, kind, name in named(wish.given)
        if not there.has(kind, name)
    ]
    return problems + _unfit_sources(wishes) + _one_name_twice(wishes)


class _There:
    """What will exist after the call; the host is asked only for kinds that are named."""

    def __init__(self, wishes: Sequence[Wish], known: Known) -> None:
        self._known = known
        self._wishes = wishes
        self._names: dict[str, set[str]] = {}

    def has(self, kind: str, name: str) -> bool:
        if kind not in self._names:
            self._names[kind] = self._read(kind)
        return name in self._names[kind]

    def _read(self, kind: str) -> set[str]:
        if kind == "icmptype":
            return self._known.icmp_types()
        of_kind = [wish for wish in self._wishes if wish.kind == kind]
        gone = {wish.name for wish in of_kind if not wish.present}
        return (self._known.names(kind) - gone) | {wish.name for wish in of_kind if wish.present}


def _unfit_sources(wishes: Sequence[Wish]) -> list[str]:
    """Ipsets of a type that no zone takes as a source."""
    types = {wish.name: wish.given.get("type") for wish in wishes if wish.kind == "ipset"}
    return [
        f"{wish.path}.sources[{index}]: '{source}': an ipset of type {types[name]} cannot be a "
        f"source; these can: {', '.join(SOURCE_IPSET_TYPES)}"
        for wish in wishes
        for index, source in enumerate(wish.given.get("sources", ()))
        if source is not None and source.startswith(_IPSET)
        for name in [source[len(_IPSET) :]]
        if (types.get(name) or "hash:net") not in SOURCE_IPSET_TYPES
    ]


def _one_name_twice(wishes: Sequence[Wish]) -> list[str]:
    """firewalld allows no policy with the name of a zone."""
    zones = {wish.name: wish.path for wish in wishes if wish.kind == "zone" and wish.present}
    return [
        f"{wish.path}.name: '{wish.name}': is the name of the zone in {zones[wish.name]} too"
        for wish in wishes
        if wish.kind == "policy" and wish.present and wish.name in zones
    ]
