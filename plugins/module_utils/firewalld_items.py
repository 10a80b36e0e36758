# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of zones, policies, services and ipsets: when two are the same, and what one becomes.

Pure. Items have the shapes of ``firewalld_door.SHAPES``: ports are tuples (port, protocol), forward
ports (port, protocol, to port, to address), all others text. What stays is sent as firewalld shows
it: it compares as text, and would close and reopen what is only spelled otherwise.
"""

from __future__ import annotations

import bisect
import ipaddress
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .firewalld_entries import collapsed, same_entries
from .ports import PortRange, merged, parse_port, text, without

PORTS = ("ports", "source_ports")
BINDINGS = ("interfaces", "sources")
POLICY_ZONES = ("ingress_zones", "egress_zones")
ENTRIES = "entries"

Port = tuple[str, str]


def canonical(key: str, item: Any) -> Any:
    """What two items of a list must have in common to be the same; not for ports."""
    if key == "sources":
        return canonical_source(item)
    if key == "forward_ports":
        port, protocol, to_port, to_address = item
        return (_port_text(port), protocol, _port_text(to_port), _address(to_address))
    return item


def canonical_source(source: str) -> str:
    """A zone's source, however it is spelled: a network, an address, a MAC address, an ipset."""
    if source.startswith("ipset:"):
        return source
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return source.lower()
    return _plain(network)


def _plain(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    whole = network.prefixlen == network.max_prefixlen
    return str(network.network_address if whole else network)


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return value


def _port_text(value: str) -> str:
    found = shown_range(value)
    return text(found) if found else value


def shown_range(value: str) -> PortRange | None:
    """A port as firewalld shows it, which may be a name ("ssh"); None when nobody knows it."""
    try:
        return parse_port(value)
    except ValueError:
        try:
            port = socket.getservbyname(value)
        except (OSError, ValueError):
            return None
        return PortRange(port, port)


def same(key: str, left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether two lists mean the same."""
    if key == ENTRIES:
        return same_entries(left, right)
    if key in PORTS:
        return _as_sets(left) == _as_sets(right)
    return {canonical(key, item) for item in left} == {canonical(key, item) for item in right}


def goal(key: str, shown: Sequence[Any], wanted: Sequence[Any], exclusive: bool) -> list[Any]:
    """What a list becomes.

    :param shown: the list now; its spelling is kept for what stays.
    :param wanted: the items that shall be in it.
    :param exclusive: whether no others shall be in it.
    """
    if key == ENTRIES:
        result = collapsed(wanted if exclusive else [*shown, *wanted])
        return list(shown) if same_entries(shown, result) else result
    if key in PORTS:
        return _ports_goal(shown, wanted, exclusive)
    asked = {canonical(key, item): item for item in sorted(wanted, reverse=True)}
    had = {canonical(key, item) for item in shown}
    kept = [item for item in shown if not exclusive or canonical(key, item) in asked]
    return [*kept, *sorted(item for form, item in asked.items() if form not in had)]


def delta(key: str, before: Sequence[Any], after: Sequence[Any]) -> dict[str, list[str]]:
    """What came and what went, as people read it."""
    return {"added": _only_in(key, after, before), "removed": _only_in(key, before, after)}


def words(key: str, items: Sequence[Any]) -> list[str]:
    """A list as people read it, in order; ports in the fewest ranges."""
    if key in PORTS:
        ranges, names = _as_sets(items)
        known = [f"{text(item)}/{protocol}" for protocol, all_ in ranges for item in all_]
        return known + ["/".join(name) for name in sorted(names)]
    if key == "forward_ports":
        return [_forward_words(item) for item in sorted(canonical(key, item) for item in items)]
    if key == ENTRIES:
        return collapsed(items)
    return sorted(items)


def _forward_words(item: Sequence[str]) -> str:
    port, protocol, to_port, to_address = item
    return f"{port}/{protocol} to {to_address or 'here'}:{to_port or port}"


def _only_in(key: str, here: Sequence[Any], there: Sequence[Any]) -> list[str]:
    return words(key, extra(key, here, there))


def extra(key: str, here: Sequence[Any], there: Sequence[Any]) -> list[Any]:
    """The items of one list that another has not; of ports, the ranges."""
    if key in PORTS:
        mine, names = _as_sets(here)
        other, other_names = _as_sets(there)
        theirs = dict(other)
        return [
            (text(item), protocol)
            for protocol, ranges in mine
            for item in without(ranges, theirs.get(protocol, ()))
        ] + sorted(names - other_names)
    if key == ENTRIES:
        known = set(collapsed(there))
        return [entry for entry in collapsed(here) if entry not in known]
    forms = {canonical(key, item) for item in there}
    return [item for item in here if canonical(key, item) not in forms]


# --- ports ----------------------------------------------------------------------------------------

_Sets = tuple[list[tuple[str, tuple[PortRange, ...]]], set[Port]]


def _as_sets(ports: Iterable[Sequence[str]]) -> _Sets:
    """By protocol the ports in the fewest ranges, and the items that nobody can read."""
    ranges: dict[str, list[PortRange]] = {}
    unread: set[Port] = set()
    for port, protocol in ports:
        found = shown_range(port)
        if found is None:
            unread.add((port, protocol))
        else:
            ranges.setdefault(protocol, []).append(found)
    return [(protocol, merged(ranges[protocol])) for protocol in sorted(ranges)], unread


def _ports_goal(
    shown: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]], exclusive: bool
) -> list[Port]:
    asked, unread = _as_sets(wanted)
    targets = dict(asked)
    kept: list[Port] = []
    staying: dict[str, list[PortRange]] = {}
    for port, protocol in shown:
        found = shown_range(port)
        if found is None:
            stays = not exclusive or (port, protocol) in unread
        else:
            stays = not exclusive or _covered(targets.get(protocol, ()), found)
        if stays:
            kept.append((port, protocol))
            if found is not None:
                staying.setdefault(protocol, []).append(found)
    new = [
        (text(item), protocol)
        for protocol, ranges in asked
        for item in without(ranges, staying.get(protocol, ()))
    ]
    return kept + new + sorted(unread - set(kept))


def _covered(ranges: Sequence[PortRange], item: PortRange) -> bool:
    """Whether merged, sorted ranges cover another."""
    at = bisect.bisect_right(ranges, PortRange(item.first, 1 << 16)) - 1
    return at >= 0 and ranges[at].covers(item)


def port_steps(shown: Sequence[Port], target: Sequence[Port]) -> list[list[Port]]:
    """The lists to be set at runtime one after the other, one or two, to get from one to the other.

    Two are needed where ranges overlap that firewalld took from disk as they were written and one
    of them goes: firewalld would cut it out of the others too, without telling (``breakPortRange``
    in firewall/functions.py). So the ranges are first made one, by adding the range over all of
    them; or, where one of them is that range already, all of them are closed and come back.
    """
    # A target that was read from a runtime may overlap itself, which firewalld refuses to add
    target = _ports_goal(shown, target, exclusive=True)
    going = set(shown) - set(target)
    first, between = list(shown), list(shown)
    for protocol in sorted({protocol for port, protocol in going}):
        for hull, members in _overlapping(shown, protocol):
            if not going.intersection(members):
                continue
            between = [item for item in between if item not in members]
            if hull in members:
                first.remove(hull)
            else:
                first.append(hull)
                between.append(hull)
    if first == list(shown):
        return [target]
    return [first, _ports_goal(between, target, exclusive=True)]


def _overlapping(shown: Sequence[Port], protocol: str) -> list[tuple[Port, list[Port]]]:
    """Groups of two or more ranges that overlap, each with the range over all of them."""
    ranges = sorted(
        (found, item)
        for item in dict.fromkeys(shown)
        if item[1] == protocol
        for found in [shown_range(item[0])]
        if found is not None
    )
    groups: list[tuple[PortRange, list[Port]]] = []
    for found, item in ranges:
        if groups and found.first <= groups[-1][0].last:
            over, members = groups[-1]
            groups[-1] = (PortRange(over.first, max(over.last, found.last)), [*members, item])
        else:
            groups.append((found, [item]))
    return [((text(over), protocol), members) for over, members in groups if len(members) > 1]


# --- scalars --------------------------------------------------------------------------------------

# What an ipset has without being told (firewall.core.ipset.IPSET_DEFAULT_CREATE_OPTIONS)
_OPTION_DEFAULTS = {"family": "inet", "hashsize": "1024", "maxelem": "65536", "timeout": "0"}


def same_options(left: Mapping[str, str], right: Mapping[str, str]) -> bool:
    """Whether two ipsets' options mean the same; an option left out has its default."""
    return {**_OPTION_DEFAULTS, **left} == {**_OPTION_DEFAULTS, **right}
