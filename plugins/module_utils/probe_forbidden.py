# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for any part that a host has in networks it must stay out of: PXE, and that of the BMCs."""

from __future__ import annotations

from collections.abc import Iterator

from .probe_host import HostState, SeenAddress
from .probe_plan import FAILED, Expectation, Finding, Forbidden, IPNetwork, Tally
from .probe_surroundings import Surroundings, Way


def check_forbidden(
    expect: Expectation, host: HostState, around: Surroundings, tally: Tally
) -> None:
    """Tell every address, lease, socket and route in the forbidden subnets."""
    for forbidden in expect.forbidden:
        addresses = [seen for seen in host.addresses if seen.address.ip in forbidden.cidr]
        for found in (
            list(_addresses(forbidden, addresses)),
            list(_leases(forbidden, addresses, around)),
            list(_sockets(forbidden, around)),
            list(_ways(forbidden, addresses, around)),
        ):
            for finding in found:
                tally.found(finding)
            if not found:
                tally.passed(forbidden.network)


def _addresses(forbidden: Forbidden, addresses: list[SeenAddress]) -> Iterator[Finding]:
    for seen in addresses:
        how = "an address from DHCP" if seen.leased else "an address"
        right = "take it off the link, and out of what configures it"
        yield _finding(forbidden, f"{seen.address} on {seen.link}", "address", right, how)


def _leases(
    forbidden: Forbidden, addresses: list[SeenAddress], around: Surroundings
) -> Iterator[Finding]:
    told = {seen.address.ip for seen in addresses}
    for lease in around.leases:
        if lease.address in forbidden.cidr and lease.address not in told:
            right = "switch DHCP off there"
            yield _finding(forbidden, str(lease.address), "lease", right, f"a lease, {lease.file}")


def _sockets(forbidden: Forbidden, around: Surroundings) -> Iterator[Finding]:
    right = "bind it to another network's address"
    bound = [found for found in around.sockets if found.address in forbidden.cidr]
    for found, owner in around.owners(bound).items():
        yield _finding(forbidden, str(found), "socket", right, f"a socket of {owner}")


def _ways(
    forbidden: Forbidden, addresses: list[SeenAddress], around: Surroundings
) -> Iterator[Finding]:
    told = {seen.address.ip for seen in addresses}
    links = {seen.link for seen in addresses}
    dead_ends = [way for way in around.ways if way.dead_end]
    for way in around.ways:
        if way.dead_end or way.to.prefixlen == 0 or not _overlap(way.to, forbidden.cidr):
            continue
        # What an address brings along goes with it.
        if way.source in told or (way.own and way.link in links):
            continue
        if any(_hides(other, way, forbidden.cidr) for other in dead_ends):
            continue
        right = "delete it, or add an unreachable route to the subnet"
        yield _finding(forbidden, str(way.to), "route", right, f"a route {way.words}")


def _overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)


def _hides(dead_end: Way, way: Way, cidr: IPNetwork) -> bool:
    """Whether packets to the subnet die before they take a wider way of the same table."""
    return (
        dead_end.table == way.table
        and dead_end.to.version == cidr.version
        and dead_end.to.prefixlen > way.to.prefixlen
        and cidr.network_address in dead_end.to
        and cidr.prefixlen >= dead_end.to.prefixlen
    )


def _finding(forbidden: Forbidden, subject: str, what: str, right: str, seen: str) -> Finding:
    return Finding(
        network=forbidden.network,
        check=forbidden.kind,
        severity=FAILED,
        subject=subject,
        expected=f"no {what} in {forbidden.cidr}: {right}",
        seen=seen,
    )
