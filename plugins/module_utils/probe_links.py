# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a host's links with the plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .probe_host import HostState, SeenLink
from .probe_plan import DEGRADED, FAILED, Expectation, Finding, Link, Tally

# A link of one of these kinds is never a planned NIC.
_MADE_BY_SOFTWARE = {"bond", "bridge", "vlan", "vxlan", "dummy", "vrf"}


@dataclass
class LinkVerdict:
    """Which links cannot work, and which are too narrow: what rides on them is not asked again."""

    broken: set[str] = field(default_factory=set)
    narrow: set[str] = field(default_factory=set)


def check_links(expect: Expectation, host: HostState, tally: Tally) -> LinkVerdict:
    """Compare every planned link; a link that rides on a broken one is counted, not told."""
    planned = {link.name: link for link in expect.links}
    in_bond = {member for link in expect.links if link.type == "bond" for member in link.members}
    verdict = LinkVerdict()
    for link in _from_below(planned):
        riding = [name for name in link.below if name in verdict.broken]
        if riding and len(riding) == len(link.below):
            verdict.broken.add(link.name)
            tally.hidden(link.network)
        elif link.type == "ethernet" and link.name in in_bond:
            _check_member(link, host, tally, verdict)
        else:
            _check_link(link, host, tally, verdict)
        if any(name in verdict.narrow for name in link.below):
            verdict.narrow.add(link.name)
    _check_leftovers(planned, host, tally)
    return verdict


def _from_below(planned: dict[str, Link]) -> list[Link]:
    """The links in an order in which each follows those it rides on."""
    order: dict[str, Link] = {}

    def visit(name: str, above: frozenset[str]) -> None:
        if name in order or name not in planned or name in above:
            return
        link = planned[name]
        for below in (*link.members, *link.below):
            visit(below, above | {name})
        order[name] = link

    for name in planned:
        visit(name, frozenset())
    return list(order.values())


def _check_member(link: Link, host: HostState, tally: Tally, verdict: LinkVerdict) -> None:
    """A bond's member: the bond tells of its absence, so that one cut cable is one finding."""
    seen = host.links.get(link.name)
    if seen is None or not seen.carrier:
        verdict.broken.add(link.name)
        tally.passed(link.network)
    else:
        _check_mtu(link, seen, tally, verdict)


def _check_link(link: Link, host: HostState, tally: Tally, verdict: LinkVerdict) -> None:
    seen = host.links.get(link.name)
    problem = _problem(link, seen, host)
    if problem is None and link.type == "bond":
        problem = _bond_problem(link, host)
    if problem is None:
        tally.passed(link.network)
    else:
        tally.found(problem)
    if seen is None or (problem is not None and problem.severity == FAILED):
        verdict.broken.add(link.name)
        return
    _check_mtu(link, seen, tally, verdict)


def _problem(link: Link, seen: SeenLink | None, host: HostState) -> Finding | None:
    """Why a link cannot work, or None."""
    if seen is None:
        return _finding(link, "link", f"{link.type} link", "no such link")
    if (seen.kind != link.type) if link.type != "ethernet" else (seen.kind in _MADE_BY_SOFTWARE):
        return _finding(link, "link", f"{link.type} link", f"{seen.kind} link")
    if link.type == "vlan" and (seen.vlan, seen.parent) != (link.vlan, link.parent):
        return _finding(
            link,
            "vlan",
            f"VLAN {link.vlan} on {link.parent}",
            f"VLAN {seen.vlan} on {seen.parent}",
        )
    if link.type == "bond":
        return None
    outside = [name for name in link.members if _master(name, host) != link.name]
    if outside:
        expected = f"members {', '.join(link.members)}"
        return _finding(link, "link", expected, f"without {', '.join(outside)}")
    return None if seen.up and seen.carrier else _not_up(link, seen)


def _not_up(link: Link, seen: SeenLink) -> Finding:
    return _finding(link, "link", "up with carrier", "no carrier" if seen.up else "down")


def _master(name: str, host: HostState) -> str | None:
    return host.links[name].master if name in host.links else None


def _bond_problem(link: Link, host: HostState) -> Finding | None:
    """What makes a bond useless, or only weakens it."""
    bond = host.links[link.name]
    missing = {name: _member_problem(name, bond, host) for name in link.members}
    missing = {name: problem for name, problem in missing.items() if problem}
    expected = f"members {', '.join(link.members)}"
    seen = "; ".join(f"{name}: {problem}" for name, problem in missing.items())
    if link.members and len(missing) == len(link.members):
        return _finding(link, "bond", expected, seen)
    if not bond.up or not bond.carrier:
        return _finding(link, "bond", f"up with {expected}", "no carrier" if bond.up else "down")
    return _finding(link, "bond", expected, seen, DEGRADED) if missing else None


def _member_problem(name: str, bond: SeenLink, host: HostState) -> str | None:
    """What keeps a NIC from carrying traffic of a bond, or None."""
    seen = host.links.get(name)
    if seen is None:
        return "no such NIC"
    if seen.master != bond.name:
        return f"member of {seen.master}" if seen.master else "not in the bond"
    if not seen.carrier:
        return "no carrier"
    if seen.member_status not in {None, "UP"}:
        return f"link {str(seen.member_status).lower()}"
    # 802.3ad: one aggregator carries traffic; a member of another one has found no partner there
    aggregators = (bond.aggregator, seen.member_aggregator)
    if None not in aggregators and aggregators[0] != aggregators[1]:
        return "not in the active LACP aggregator"
    return None


def _check_mtu(link: Link, seen: SeenLink, tally: Tally, verdict: LinkVerdict) -> None:
    if link.mtu is None or seen.mtu == link.mtu:
        tally.passed(link.network)
        return
    if seen.mtu < link.mtu:
        verdict.narrow.add(link.name)
    tally.found(_finding(link, "mtu", str(link.mtu), str(seen.mtu)))


def _check_leftovers(planned: dict[str, Link], host: HostState, tally: Tally) -> None:
    """VLANs on planned links that are not planned: what a removed network leaves behind."""
    for seen in _unplanned_vlans(planned, host):
        tally.found(
            Finding(
                network=None,
                check="leftover",
                severity=DEGRADED,
                subject=seen.name,
                expected=f"only planned VLANs on {seen.parent}",
                seen=f"VLAN {seen.vlan} on {seen.parent}",
            )
        )


def _unplanned_vlans(planned: dict[str, Link], host: HostState) -> Iterable[SeenLink]:
    return (
        seen
        for name, seen in sorted(host.links.items())
        if seen.kind == "vlan" and name not in planned and seen.parent in planned
    )


def _finding(link: Link, check: str, expected: str, seen: str, severity: str = FAILED) -> Finding:
    return Finding(link.network, check, severity, link.name, expected, seen)
